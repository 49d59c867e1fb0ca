import { createSecretKey } from 'node:crypto';
import type { TokenId } from '@patchbay/contracts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hashToken, mintToken, parseToken, TOKEN_KINDS, tokenHint, verifyTag } from './token.ts';

const key = Buffer.alloc(32, 7);
const id = '018f7a3e-0000-7000-8000-00000000002a' as TokenId;

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length }).map((array) => Buffer.from(array));
const anyToken = fc.record({ kind: fc.constantFrom(...TOKEN_KINDS), id: fc.uuid().map((text) => text as TokenId), random: bytes(32) });

describe('tokens', () => {
  test('the wire form stays put: tokens in the field must keep working', () => {
    const text = mintToken('pbpat', id, key, (size) => Buffer.alloc(size, 1));
    expect(text).toMatch(/^pbpat_[0-9A-Za-z]{92}$/);
    expect(hashToken(text)).toBe('a757e2855a57d453d1c40f8fd2cd4aa8bfc88aef435d7afb3a06de96b2a5ef10');
  });

  test('what was minted is read back and holds under the same key, and under no other', () => {
    fc.assert(
      fc.property(anyToken, bytes(32), ({ kind, id, random }, otherKey) => {
        fc.pre(!otherKey.equals(key));
        const parsed = parseToken(mintToken(kind, id, key, () => random));
        expect(parsed).toMatchObject({ kind, id });
        expect(parsed?.random.equals(random)).toBe(true);
        expect(parsed !== null && verifyTag(parsed, key)).toBe(true);
        expect(parsed !== null && verifyTag(parsed, createSecretKey(key))).toBe(true);
        expect(parsed !== null && verifyTag(parsed, otherKey)).toBe(false);
      }),
    );
  });

  test('a token with one character changed is refused before any key is used', () => {
    fc.assert(
      fc.property(anyToken, fc.nat(), fc.constantFrom(...BASE62.split(''), '-', '_', 'é'), ({ kind, id, random }, at, character) => {
        const text = mintToken(kind, id, key, () => random);
        const position = at % text.length;
        fc.pre(text[position] !== character);
        expect(parseToken(text.slice(0, position) + character + text.slice(position + 1))).toBeNull();
      }),
    );
  });

  test('a token is bound to its kind: relabelled as another it fails, even with a right checksum', () => {
    const pat = parseToken(mintToken('pbpat', id, key));
    if (pat === null) throw new Error('a minted token must parse');
    expect(verifyTag({ ...pat, kind: 'pbapi' }, key)).toBe(false);
    expect(verifyTag({ ...pat, id: '018f7a3e-0000-7000-8000-00000000002b' as TokenId }, key)).toBe(false);
    expect(verifyTag({ ...pat, random: Buffer.alloc(32) }, key)).toBe(false);
  });

  test('text that is no token is null, whatever it holds', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        expect(parseToken(text)).toBeNull();
      }),
    );
    const text = mintToken('pbapi', id, key);
    for (const near of ['', ` ${text}`, `${text} `, text.slice(1), text.toUpperCase(), text.replace('pbapi', 'pbxyz')])
      expect(parseToken(near)).toBeNull();
  });

  test('every token is a new one, and its hint gives away kind and checksum only', () => {
    const text = mintToken('pbpat', id, key);
    expect(mintToken('pbpat', id, key)).not.toBe(text);
    expect(tokenHint(text)).toBe(`pbpat_…${text.slice(-4)}`);
  });

  test('an id that is no UUID and a short random source are faults, not weak tokens', () => {
    expect(() => mintToken('pbpat', 'nonsense' as TokenId, key)).toThrow(RangeError);
    expect(() => mintToken('pbpat', id, key, () => Buffer.alloc(3))).toThrow(RangeError);
  });
});
