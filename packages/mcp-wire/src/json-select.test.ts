import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Selector, selectStrings } from './json-select.ts';

const WANTED: Selector = { isWanted: true };
const below = (name: string, selector: Selector): Selector => ({ members: new Map([[name, selector]]) });
const texts = (json: string, selector: Selector): string[] => selectStrings(Buffer.from(json), selector).map(({ text }) => text);

test('finds strings by members, elements and any member, in the order of the document', () => {
  const selector: Selector = {
    members: new Map([
      ['a', { each: below('u', WANTED) }],
      ['b', { each: WANTED }],
    ]),
  };
  expect(texts('{"b":{"x":"1","y":"2"},"a":[{"u":"3"},{"v":"4"},{"u":"5"}],"c":{"u":"6"}}', selector)).toEqual(['1', '2', '3', '5']);
});

test('reads a key and a value in escapes, and takes no other type for a string', () => {
  expect(texts('{"\\u0061":"x\\ny"}', below('a', WANTED))).toEqual(['x\ny']);
  expect(texts('{"a":{"a":"no"}}', below('a', WANTED))).toEqual([]);
  expect(texts('[1]', below('a', WANTED))).toEqual([]);
});

test('finds nothing in what is not JSON', () => {
  for (const broken of ['', '{', '{"a":"x"', '{"a" "x"}', '{"a":"x",}', '[']) expect(texts(broken, below('a', WANTED))).toEqual([]);
});

test('a span covers the string as written, so that replacing it leaves the rest', () => {
  fc.assert(
    fc.property(fc.json(), fc.string(), (other, text) => {
      const bytes = Buffer.from(`{"other": ${other}, "a" : ${JSON.stringify(text)} }`);
      const [found] = selectStrings(bytes, below('a', WANTED));
      expect(found?.text).toBe(text);
      expect(bytes.subarray(found?.span.start, found?.span.end).toString()).toBe(JSON.stringify(text));
    }),
  );
});
