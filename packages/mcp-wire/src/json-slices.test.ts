import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sliceElements, sliceMember, sliceMembers, withoutMembers } from './json-slices.ts';
import { splice } from './splice.ts';

const list = Buffer.from(
  '{"id":1, "result":{ "tools":[ {"name":"a","max":12345678901234567890} ,{"b":1,"a":2}, [] ],"none":[ ]},"other":[{}]}',
);
const cut = (bytes: Buffer, span: { start: number; end: number } | null): string | null =>
  span && bytes.toString('utf8', span.start, span.end);

test('elements keep the bytes they were written in: large numbers, key order, inner spaces', () => {
  expect(sliceElements(list, ['result', 'tools'])?.map((span) => cut(list, span))).toEqual([
    '{"name":"a","max":12345678901234567890}',
    '{"b":1,"a":2}',
    '[]',
  ]);
  expect(sliceElements(list, ['result', 'none'])).toEqual([]);
});

test('a member is found by its decoded name at its own path only', () => {
  expect(cut(list, sliceMember(list, ['id']))).toBe('1');
  const escaped = Buffer.from('{"x":{"name":0},"n\\u0061me":"\\u0041"}');
  expect(cut(escaped, sliceMember(escaped, ['name']))).toBe('"\\u0041"');
  expect(sliceMembers(escaped, ['x'])?.map(({ name }) => name)).toEqual(['name']);
});

test('what is missing, not JSON, of another type or there twice is null, never a guess', () => {
  expect(sliceMember(list, ['result', 'nothing'])).toBeNull();
  expect(sliceElements(list, ['result'])).toBeNull();
  expect(sliceMember(list, ['other', 'x'])).toBeNull();
  for (const bad of ['', '[1]', '{"a":1', '{"a":1}}', '{"a":1 "b":2}', '{"a":1,"a":2}', '{"a":1,"\\u0061":2}']) {
    expect(sliceMember(Buffer.from(bad), ['a'])).toBeNull();
  }
  expect(sliceMember(Buffer.from('{"a":{"b":1},"a":{"b":2}}'), ['a', 'b'])).toBeNull();
  expect(sliceMember(Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xff]), Buffer.from('"}')]), ['a'])).toBeNull();
});

test('the elements sliced from any array are the elements JSON.parse sees', () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue({ maxDepth: 4 })), fc.constantFrom(0, 2), (values, indent) => {
      const bytes = Buffer.from(JSON.stringify({ before: values, deep: { list: values } }, null, indent));
      const elements = sliceElements(bytes, ['deep', 'list'])?.map((span): unknown => JSON.parse(cut(bytes, span) ?? ''));
      expect(elements).toEqual(JSON.parse(JSON.stringify(values)));
    }),
  );
});

test('a splice changes the spans named and nothing else, and refuses edits it could only guess the order of', () => {
  const bytes = Buffer.from('0123456789');
  const edits = [
    { start: 0, end: 0, replacement: 'é' },
    { start: 2, end: 4, replacement: Buffer.from('x') },
    { start: 4, end: 5, replacement: '' },
    { start: 10, end: 10, replacement: '!' },
  ];
  expect(splice(bytes, edits).toString()).toBe('é01x56789!');
  expect(bytes.toString()).toBe('0123456789');
  expect(() => splice(bytes, edits.toReversed())).toThrow(RangeError);
  expect(() => splice(bytes, [{ start: 3, end: 2, replacement: '' }])).toThrow(RangeError);
  expect(() => splice(bytes, [{ start: 3, end: 11, replacement: '' }])).toThrow(RangeError);
});

test('an object without some of its members keeps the others to the byte, however the names are spelled', () => {
  const bytes = Buffer.from('{ "a" : 1.0 , "\\u0062":[ 2 ],"c":{"b":1} }');
  expect(withoutMembers(bytes, new Set(['b']))?.toString()).toBe('{"a" : 1.0,"c":{"b":1}}');
  expect(withoutMembers(bytes, new Set(['a', 'b', 'c']))?.toString()).toBe('{}');
  expect(withoutMembers(bytes, new Set(['d']))).toBe(bytes);
  expect(withoutMembers(Buffer.from('[1]'), new Set(['b']))).toBeNull();
});
