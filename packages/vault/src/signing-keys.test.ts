import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { loadPublicKeys, loadSigningKey, signingKeyId } from './signing-keys.ts';

const directory = mkdtempSync(join(tmpdir(), 'patchbay-signing-'));
afterAll(() => rmSync(directory, { recursive: true }));

const pair = generateKeyPairSync('ed25519', {
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});
const other = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});

let files = 0;
function fileOf(content: string): string {
  const path = join(directory, `file-${(files += 1)}`);
  writeFileSync(path, content, { mode: 0o600 });
  return path;
}

test('a signing key and the public keys of one or two are read', () => {
  expect(loadSigningKey(fileOf(pair.privateKey)).type).toBe('private');
  expect(loadPublicKeys(fileOf(pair.publicKey)).map(({ type }) => type)).toEqual(['public']);
  expect(loadPublicKeys(fileOf(pair.publicKey + pair.publicKey))).toHaveLength(2);
});

test('both halves of a pair have the same id, another pair has another one', () => {
  const [half] = loadPublicKeys(fileOf(pair.publicKey));
  const id = signingKeyId(loadSigningKey(fileOf(pair.privateKey)));
  expect(id).toMatch(/^[\w-]{16}$/);
  expect(half === undefined ? null : signingKeyId(half)).toBe(id);
  expect(signingKeyId(generateKeyPairSync('ed25519').publicKey)).not.toBe(id);
});

test('a private key in place of the public one is refused by name', () => {
  const path = fileOf(pair.privateKey);
  expect(() => loadPublicKeys(path)).toThrow(`${path} holds a private key`);
  expect(() => loadPublicKeys(fileOf(pair.publicKey + pair.privateKey))).toThrow('holds a private key');
});

test.each([
  ['', 'nothing'],
  [other.publicKey, 'another curve'],
  [pair.publicKey.repeat(3), 'three'],
  ['x', 'no PEM'],
])('a file without usable public keys is refused (%#)', (content) => {
  expect(() => loadPublicKeys(fileOf(content))).toThrow('must hold one or two Ed25519 public keys');
});

test.each([pair.publicKey, other.privateKey, 'x'])('a file without a usable signing key is refused (%#)', (content) => {
  const path = fileOf(content);
  expect(() => loadSigningKey(path)).toThrow(`${path} must hold an Ed25519 private key`);
});
