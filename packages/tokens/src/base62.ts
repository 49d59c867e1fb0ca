const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const BASE = 62n;
/** As many digits as a double holds exactly: the number is put together in steps of this size. */
const STEP = 8;
const STEP_POWER = BASE ** BigInt(STEP);
const POWERS = Array.from({ length: STEP + 1 }, (_, k) => BASE ** BigInt(k));

const VALUES = new Int8Array(128).fill(-1);
for (const [value, digit] of DIGITS.split('').entries()) VALUES[digit.charCodeAt(0)] = value;

/** Digits that any number of `bytes` bytes fits in. */
export function base62Length(bytes: number): number {
  return Math.ceil((bytes * 8) / Math.log2(62));
}

/** Big-endian, of at least one byte; always `base62Length(bytes.length)` digits. */
export function encodeBase62(bytes: Buffer): string {
  let rest = BigInt(`0x${bytes.toString('hex')}`);
  const length = base62Length(bytes.length);
  let text = '';
  while (text.length < length) {
    let part = Number(rest % STEP_POWER);
    rest /= STEP_POWER;
    for (let k = Math.min(STEP, length - text.length); k > 0; k -= 1) {
      text = DIGITS.charAt(part % 62) + text;
      part = Math.floor(part / 62);
    }
  }
  return text;
}

/** The `size` bytes that encode to exactly this text, or null: there is one text for each value. */
export function decodeBase62(text: string, size: number): Buffer | null {
  if (text.length !== base62Length(size)) return null;
  let value = 0n;
  for (let from = 0; from < text.length; from += STEP) {
    const to = Math.min(from + STEP, text.length);
    let part = 0;
    for (let i = from; i < to; i += 1) {
      const digit = VALUES[text.charCodeAt(i)] ?? -1;
      if (digit < 0) return null;
      part = part * 62 + digit;
    }
    value = value * (POWERS[to - from] ?? 1n) + BigInt(part);
  }
  const hex = value.toString(16).padStart(size * 2, '0');
  return hex.length === size * 2 ? Buffer.from(hex, 'hex') : null;
}
