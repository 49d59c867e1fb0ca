import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { open, seal } from './envelope.ts';
import { KeyFileError, loadKeyring, loadSecret } from './key-file.ts';

const directory = mkdtempSync(join(tmpdir(), 'patchbay-keys-'));
afterAll(() => rmSync(directory, { recursive: true }));

const key = (): string => randomBytes(32).toString('base64url');
let files = 0;
function fileOf(content: string, mode = 0o600): string {
  const path = join(directory, `file-${(files += 1)}`);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

test('the first line seals, every line opens', () => {
  const [old, fresh] = [key(), key()];
  const sealed = seal(loadKeyring(fileOf(`${old}\n`)), 'text', []);
  const rotated = loadKeyring(fileOf(`${fresh}\n${old}\n`));
  expect(open(rotated, sealed, [])?.toString()).toBe('text');
  expect(rotated.current.id).toBe(loadKeyring(fileOf(fresh)).current.id);
});

test.each([0o640, 0o604, 0o620, 0o602, 0o610])('a file that others may use is refused: mode %o', (mode) => {
  const path = fileOf(key(), mode);
  expect(() => loadKeyring(path)).toThrow(KeyFileError);
  expect(() => loadSecret(path)).toThrow(`${path} may be read by others`);
});

test.each([
  ['', 'holds no key'],
  ['short', 'must hold'],
  [`${key()} ${key()}`, 'must hold'],
  [`${key()}\nnot a key`, 'must hold'],
  [`${'A'.repeat(42)}B`, 'must hold'],
  [randomBytes(32).toString('hex'), 'must hold'],
])('a malformed key file is refused, by name and without its content: %j', (content, problem) => {
  const path = fileOf(content);
  expect(() => loadKeyring(path)).toThrow(`${path} ${problem}`);
  if (content !== '') expect(() => loadKeyring(path)).not.toThrow(content);
});

test('a file that is missing or is a directory is refused by name', () => {
  expect(() => loadKeyring(join(directory, 'none'))).toThrow(`${join(directory, 'none')} cannot be read (ENOENT)`);
  expect(() => loadSecret(directory)).toThrow(KeyFileError);
});

test('a secret file is text without the white space around it, and never empty', () => {
  expect(loadSecret(fileOf('postgres://x\n')).reveal()).toBe('postgres://x');
  expect(() => loadSecret(fileOf(' \n'))).toThrow('is empty');
});
