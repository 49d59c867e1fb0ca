import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { rotate, sizeOf, tailOf } from './log-file.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'patchbay-log-'));
  path = join(folder, 'program.log');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('the tail holds the last lines of this run and none of an earlier one', () => {
  writeFileSync(path, 'earlier\n');
  const from = sizeOf(path);
  appendFileSync(path, Array.from({ length: 40 }, (_, index) => `line ${index}\n`).join(''));
  const lines = tailOf(path, from).split('\n');
  expect(lines.at(-1)).toBe('line 39');
  expect(lines).toHaveLength(15);
  expect(tailOf(path, sizeOf(path))).toBe('');
});

test('a log that has grown too long starts anew, the old one beside it', () => {
  writeFileSync(path, 'x'.repeat(9 * 1024 * 1024));
  rotate(path);
  expect(sizeOf(path)).toBe(0);
  expect(sizeOf(`${path}.1`)).toBe(9 * 1024 * 1024);
});
