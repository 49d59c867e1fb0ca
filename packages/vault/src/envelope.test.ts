import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { open, seal } from './envelope.ts';
import { createKeyring } from './keyring.ts';

const first = randomBytes(32);
const second = randomBytes(32);
const keyring = createKeyring([first]);
const anyContext = fc.array(fc.string({ unit: 'binary' }), { maxLength: 5 });

test('what is sealed opens in its own context, byte for byte', () => {
  fc.assert(
    fc.property(fc.uint8Array(), anyContext, (plaintext, context) => {
      expect(open(keyring, seal(keyring, plaintext, context), context)).toEqual(Buffer.from(plaintext));
    }),
  );
});

test('it opens in no other context', () => {
  fc.assert(
    fc.property(anyContext, anyContext, (context, other) => {
      fc.pre(JSON.stringify(context) !== JSON.stringify(other));
      expect(open(keyring, seal(keyring, 'text', context), other)).toBeNull();
    }),
  );
});

test.each([
  [
    ['ab', 'c'],
    ['a', 'bc'],
  ],
  [['ab'], ['a', 'b']],
  [['a', ''], ['a']],
  [['\ud800'], ['\ufffd']],
  [
    ['one', 'two'],
    ['two', 'one'],
  ],
])('lists that look alike are different contexts: %j and %j', (context, other) => {
  expect(open(keyring, seal(keyring, 'text', context), other)).toBeNull();
});

test('a change of any one byte, and any other spelling of the same bytes, is refused', () => {
  const sealed = seal(keyring, 'some secret', ['organisation']);
  const bytes = Buffer.from(sealed, 'base64url');
  for (let at = 0; at < bytes.length; at += 1) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ 1;
    expect(open(keyring, changed.toString('base64url'), ['organisation'])).toBeNull();
  }
  for (const spelling of [`${sealed}=`, `${sealed}\n`, ` ${sealed}`, sealed.slice(0, -1), ''])
    expect(open(keyring, spelling, ['organisation'])).toBeNull();
});

test('whatever text is presented, opening it neither throws nor succeeds', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(open(keyring, text, [])).toBeNull();
    }),
  );
});

test('the same text is never sealed alike twice', () => {
  expect(seal(keyring, 'text', [])).not.toBe(seal(keyring, 'text', []));
});

test('after a rotation the new key seals, the old one still opens, and a dropped one does not', () => {
  const rotated = createKeyring([second, first]);
  expect(open(rotated, seal(keyring, 'old', []), [])?.toString()).toBe('old');
  expect(open(keyring, seal(rotated, 'new', []), [])).toBeNull();
  expect(open(createKeyring([second]), seal(rotated, 'new', []), [])?.toString()).toBe('new');
});

test('a derived keyring opens its own purpose and no other', () => {
  const rotated = createKeyring([second, first]);
  const sealed = seal(keyring.derive('session'), 'id', []);
  expect(open(rotated.derive('session'), sealed, [])?.toString()).toBe('id');
  expect(open(rotated.derive('credential'), sealed, [])).toBeNull();
  expect(open(rotated, sealed, [])).toBeNull();
});
