import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readEnv } from '@patchbay/telemetry/config';
import { afterAll, expect, test } from 'vitest';
import { secretUrl } from './secret-url.ts';

const directory = mkdtempSync(join(tmpdir(), 'patchbay-url-'));
afterAll(() => rmSync(directory, { recursive: true }));

const check = (text: string): void => {
  if (!text.startsWith('redis')) throw new Error('must be an address of Redis');
};
const spec = { it: secretUrl({ name: 'X_FILE', direct: 'X', check }) };

test('a URL is read from a file or the environment, as a secret', () => {
  const path = join(directory, 'url');
  writeFileSync(path, 'redis://:hunter2@h:1/0\n', { mode: 0o600 });
  expect(readEnv(spec, { X_FILE: path }).it?.reveal()).toBe('redis://:hunter2@h:1/0');
  expect(readEnv(spec, { X: 'rediss://h' }).it?.reveal()).toBe('rediss://h');
  expect(readEnv(spec, {}).it).toBeNull();
});

test('what is no such URL is refused by the name of its variable and without its text', () => {
  for (const wrong of ['hunter2', 'postgres://:hunter2@h', 'http://hunter2'])
    expect(() => readEnv(spec, { X: wrong })).toThrow(/^X is not usable: must be an address of Redis$/);
  const path = join(directory, 'wrong');
  writeFileSync(path, 'hunter2', { mode: 0o600 });
  expect(() => readEnv(spec, { X_FILE: path })).toThrow(/^X_FILE is not usable: must be an address/);
});
