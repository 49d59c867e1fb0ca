import { createHash, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { KeyFileError, readPrivateFile } from './key-file.ts';

const PUBLIC_PEM = /-----BEGIN PUBLIC KEY-----[\s\S]+?-----END PUBLIC KEY-----/g;
const PRIVATE = /-----BEGIN [A-Z ]*PRIVATE KEY-----/;

/** The Ed25519 private key of a PEM file that nobody else may read. Throws KeyFileError. */
export function loadSigningKey(path: string): KeyObject {
  const pem = readPrivateFile(path);
  const key = PRIVATE.test(pem) ? parsed(() => createPrivateKey(pem)) : null;
  if (key?.asymmetricKeyType !== 'ed25519') throw new KeyFileError(path, 'must hold an Ed25519 private key in PEM');
  return key;
}

/**
 * One or two Ed25519 public keys, concatenated in PEM: two are valid while a key is being replaced. Throws KeyFileError, also where the
 * private half lies in the file, which no reader of signatures may have.
 */
export function loadPublicKeys(path: string): KeyObject[] {
  const text = readAnyFile(path);
  if (PRIVATE.test(text)) throw new KeyFileError(path, 'holds a private key: this program may have the public half alone');
  const keys = (text.match(PUBLIC_PEM) ?? []).map((pem) => parsed(() => createPublicKey(pem)));
  if (keys.length < 1 || keys.length > 2 || keys.some((key) => key?.asymmetricKeyType !== 'ed25519'))
    throw new KeyFileError(path, 'must hold one or two Ed25519 public keys in PEM');
  return keys.filter((key) => key !== null);
}

/** The id of a pair of keys, the same from either half: what signatures name as their `kid`. Public. */
export function signingKeyId(key: KeyObject): string {
  const half = key.type === 'private' ? createPublicKey(key) : key;
  return createHash('sha256')
    .update(half.export({ type: 'spki', format: 'der' }))
    .digest('base64url')
    .slice(0, 16);
}

function readAnyFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new KeyFileError(path, `cannot be read (${error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason'})`);
  }
}

function parsed(parse: () => KeyObject): KeyObject | null {
  try {
    return parse();
  } catch {
    return null;
  }
}
