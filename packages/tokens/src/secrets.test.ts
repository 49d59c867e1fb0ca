import fc from 'fast-check';
import { expect, test } from 'vitest';
import { base62Length, decodeBase62, encodeBase62 } from './base62.ts';
import { equalSecrets, mintPassword, mintSecret } from './secrets.ts';

test('secrets are equal exactly when their text is, whatever their lengths', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (a, b) => {
      expect(equalSecrets(a, b)).toBe(Buffer.from(a).equals(Buffer.from(b)));
    }),
  );
  expect(equalSecrets('same', Buffer.from('same'))).toBe(true);
  expect(equalSecrets('same', 'same and more')).toBe(false);
});

test('a secret has 256 bits and a password at least 100, in characters nobody confuses', () => {
  expect(Buffer.from(mintSecret(), 'base64url')).toHaveLength(32);
  expect(mintSecret()).not.toBe(mintSecret());
  expect(mintPassword()).toMatch(/^(?:[0-9a-hjkmnp-tv-z]{5}-){4}[0-9a-hjkmnp-tv-z]{5}$/);
  expect(mintPassword()).not.toBe(mintPassword());
});

test('base62 keeps every byte at a fixed length, leading zeros included, and refuses what is too large', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 80 }), (array) => {
      const bytes = Buffer.from(array);
      const text = encodeBase62(bytes);
      expect(text).toHaveLength(base62Length(bytes.length));
      expect(decodeBase62(text, bytes.length)?.equals(bytes)).toBe(true);
    }),
  );
  expect(decodeBase62('z'.repeat(base62Length(64)), 64)).toBeNull();
  expect(decodeBase62('-'.repeat(base62Length(4)), 4)).toBeNull();
});
