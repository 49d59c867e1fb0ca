import fc from 'fast-check';
import { expect, test } from 'vitest';
import { buildNameTable, exposedName } from './names.ts';

const slug = fc.stringMatching(/^[a-z][a-z0-9-]{0,30}$/);
const toolName = fc.oneof(fc.stringMatching(/^[A-Za-z0-9_./-]{1,128}$/), fc.string({ unit: 'grapheme', maxLength: 80 }));
const entry = fc.record({ serverSlug: slug, name: toolName });

test('clients keep names in their configurations: these must never change', () => {
  expect(exposedName('everything', 'echo')).toBe('everything_echo');
  expect(exposedName('files', 'read.text')).toBe('files_read_text_w4fjampg');
  expect(exposedName('s', 'x'.repeat(62))).toBe(`s_${'x'.repeat(62)}`);
  expect(exposedName('s', 'x'.repeat(63))).toBe(`s_${'x'.repeat(53)}_n2lgkq3y`);
});

test('every exposed name is one that clients and model APIs take, and entries never share one (trap 3)', () => {
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 30 }), (entries) => {
      const table = buildNameTable(entries);
      expect(table.size).toBe(new Set(entries.map(({ serverSlug, name }) => JSON.stringify([serverSlug, name]))).size);
      for (const exposed of table.keys()) expect(exposed).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
    }),
  );
});

test('entries whose plain names meet are all told apart by hash, in whatever order they come (trap 1)', () => {
  const entries = [
    { serverSlug: 'a_b', name: 'c' },
    { serverSlug: 'a', name: 'b_c' },
    { serverSlug: 'a', name: 'd' },
  ];
  const table = buildNameTable(entries);
  expect([...table.keys()].filter((name) => /^a_b_c_[a-z2-7]{8}$/.test(name))).toHaveLength(2);
  expect(table.get('a_d')).toBe(entries[2]);
  expect(new Map([...buildNameTable(entries.toReversed())].toReversed())).toEqual(table);
});

test("a tool named like another one's hashed name takes nothing from it", () => {
  const long = { serverSlug: 's', name: 'read.text' };
  const twin = { serverSlug: 's', name: exposedName('s', 'read.text').slice(2) };
  const table = buildNameTable([twin, long]);
  expect(table.get(exposedName('s', 'read.text'))).toBe(long);
  expect(table.size).toBe(2);
});
