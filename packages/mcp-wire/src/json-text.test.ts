import { expect, test } from 'vitest';
import { foldKey } from './json-text.ts';

test('characters that any Unicode simple case folding calls equal fold alike', () => {
  const cased: string[] = [];
  for (let code = 0; code <= 0x1ffff; code += 1) {
    const character = String.fromCodePoint(code);
    if (/[\p{Changes_When_Casemapped}\p{Changes_When_Casefolded}]/u.test(character)) cased.push(character);
  }
  const all = cased.join('');
  expect(cased.length).toBeGreaterThan(2500);
  const apart = cased.flatMap((character) =>
    [...all.matchAll(new RegExp(character, 'giu'))]
      .filter(([other]) => foldKey(other) !== foldKey(character))
      .map(([other]) => `${character}${other}`),
  );
  expect(apart).toEqual([]);
});

test('NUL takes no part in a key', () => {
  expect(foldKey('na\0me\0')).toBe('name');
});
