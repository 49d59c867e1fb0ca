import { createHmac, createSecretKey, hkdfSync, timingSafeEqual, type KeyObject } from 'node:crypto';
import type { Secret } from './secret.ts';

const KEY_BYTES = 32;
const MAC_LENGTH = 43;

/** The key for messages of one purpose among those who share `secret` (HKDF-SHA256): a message of one purpose never passes for another. */
export function messageKey(secret: Secret, purpose: string): KeyObject {
  return createSecretKey(
    new Uint8Array(hkdfSync('sha256', secret.reveal(), new Uint8Array(), `patchbay message v1 ${purpose}`, KEY_BYTES)),
  );
}

/** The text with its authenticator (HMAC-SHA256, base64url) in front. Hides nothing, and does not keep anybody from sending it again. */
export function authenticateMessage(key: KeyObject, text: string): string {
  return `${macOf(key, text)}.${text}`;
}

/** The text of a message made under this key; null for any other. Compares in constant time; never throws. */
export function openMessage(key: KeyObject, message: string): string | null {
  if (message[MAC_LENGTH] !== '.') return null;
  const text = message.slice(MAC_LENGTH + 1);
  const given = Buffer.from(message.slice(0, MAC_LENGTH), 'latin1');
  return timingSafeEqual(given, Buffer.from(macOf(key, text), 'latin1')) ? text : null;
}

function macOf(key: KeyObject, text: string): string {
  return createHmac('sha256', key).update(text, 'utf8').digest('base64url');
}
