import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { Keyring } from './keyring.ts';

const ALGORITHM = 'aes-256-gcm';
const VERSION = 1;
const ID_BYTES = 4;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEADER_BYTES = 1 + ID_BYTES;
const OVERHEAD_BYTES = HEADER_BYTES + NONCE_BYTES + TAG_BYTES;

/**
 * Encrypts under the current key, bound to `context` (ordered; the same list opens it). Base64url of:
 * version, key id, nonce, tag, ciphertext. The nonce is random: seal fewer than 2^32 values under one key.
 */
export function seal(keyring: Keyring, plaintext: string | Uint8Array, context: readonly string[]): string {
  const header = Buffer.concat([Buffer.of(VERSION), Buffer.from(keyring.current.id, 'hex')]);
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(ALGORITHM, keyring.current.key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(additionalData(header, context));
  const ciphertext = Buffer.concat([cipher.update(typeof plaintext === 'string' ? Buffer.from(plaintext) : plaintext), cipher.final()]);
  return Buffer.concat([header, nonce, cipher.getAuthTag(), ciphertext]).toString('base64url');
}

/** The plaintext, or null for whatever reason it does not open (tampered, other context, unknown key, not ours). Never throws. */
export function open(keyring: Keyring, sealed: string, context: readonly string[]): Buffer | null {
  const bytes = Buffer.from(sealed, 'base64url');
  // One text per sealed value: the decoder skips foreign characters, so another spelling is refused here.
  if (bytes.length < OVERHEAD_BYTES || bytes[0] !== VERSION || bytes.toString('base64url') !== sealed) return null;
  const header = bytes.subarray(0, HEADER_BYTES);
  const key = keyring.byId.get(header.subarray(1).toString('hex'));
  if (key === undefined) return null;
  const nonce = bytes.subarray(HEADER_BYTES, HEADER_BYTES + NONCE_BYTES);
  try {
    const decipher = createDecipheriv(ALGORITHM, key.key, nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(additionalData(header, context));
    decipher.setAuthTag(bytes.subarray(HEADER_BYTES + NONCE_BYTES, OVERHEAD_BYTES));
    return Buffer.concat([decipher.update(bytes.subarray(OVERHEAD_BYTES)), decipher.final()]);
  } catch {
    return null;
  }
}

/** Count, then each string with its length, in UTF-16: no two lists of strings, however odd, have the same bytes. */
function additionalData(header: Buffer, context: readonly string[]): Buffer {
  const parts = [header, uint32(context.length)];
  for (const item of context) {
    const bytes = Buffer.from(item, 'utf16le');
    parts.push(uint32(bytes.length), bytes);
  }
  return Buffer.concat(parts);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
