import { isUtf8 } from 'node:buffer';

const PREFIX = '=?base64?';
const SUFFIX = '?=';
/** Visible ASCII and inner spaces: what a header carries unchanged through every intermediary. */
const PLAIN = /^(?:[!-~](?:[ -~]*[!-~])?)?$/;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

const looksEncoded = (text: string): boolean =>
  text.startsWith(PREFIX) && text.endsWith(SUFFIX) && text.length >= PREFIX.length + SUFFIX.length;

/** A header value for any text; `=?base64?…?=` where it would not survive plain, or would be taken for that form (SEP-2243). */
export function encodeHeaderValue(text: string): string {
  if (PLAIN.test(text) && !looksEncoded(text)) return text;
  return `${PREFIX}${Buffer.from(text, 'utf8').toString('base64')}${SUFFIX}`;
}

/** The text a header value stands for, optional white space trimmed; null when it holds bytes or base64 that no sender may send. */
export function decodeHeaderValue(value: string): string | null {
  const trimmed = value.replace(/^[ \t]+|[ \t]+$/g, '');
  if (!looksEncoded(trimmed)) return PLAIN.test(trimmed) ? trimmed : null;
  const base64 = trimmed.slice(PREFIX.length, -SUFFIX.length);
  if (!BASE64.test(base64)) return null;
  const bytes = Buffer.from(base64, 'base64');
  return isUtf8(bytes) ? bytes.toString('utf8') : null;
}
