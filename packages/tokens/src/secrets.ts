import { createHash, randomBytes as secureRandomBytes, timingSafeEqual } from 'node:crypto';
import type { RandomBytes } from './token.ts';

const SECRET_BYTES = 32;
/** 32 characters that cannot be taken for each other: no i, l, o, u. */
const READABLE = '0123456789abcdefghjkmnpqrstvwxyz';
const PASSWORD_GROUPS = 5;
const GROUP_LENGTH = 5;

/** Whether two secrets are the same, in a time that tells nothing of either, lengths included. */
export function equalSecrets(a: string | Buffer, b: string | Buffer): boolean {
  return timingSafeEqual(createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest());
}

/** 256 random bits as base64url, for keys and secrets between programs. */
export function mintSecret(randomBytes: RandomBytes = secureRandomBytes): string {
  return randomBytes(SECRET_BYTES).toString('base64url');
}

/** 125 random bits in groups that can be read out and typed. */
export function mintPassword(randomBytes: RandomBytes = secureRandomBytes): string {
  const groups: string[] = [];
  for (let k = 0; k < PASSWORD_GROUPS; k += 1) {
    groups.push([...randomBytes(GROUP_LENGTH)].map((byte) => READABLE.charAt(byte & 31)).join(''));
  }
  return groups.join('-');
}
