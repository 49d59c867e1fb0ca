import { createKeyring } from '@patchbay/vault';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { CallContext } from '../pipeline/context.ts';
import type { ListedEntry } from '../snapshot/compiled.ts';
import { makeListCursors } from './list-cursors.ts';

const KEYRING = createKeyring([Buffer.alloc(32, 1)]);
const cursors = makeListCursors(KEYRING);

type Caller = { readonly organisationId: string; readonly serverId: string | null; readonly userId: string };
const ADA: Caller = { organisationId: 'acme', serverId: null, userId: 'ada' };

/** As much of a call as a cursor is bound to. */
function callOf({ organisationId, serverId, userId }: Caller, cursor: string | null): CallContext {
  const endpointServer = serverId === null ? null : { id: serverId };
  return { principal: { organisationId, userId }, endpointServer, message: { cursor } } as unknown as CallContext;
}

const entriesOf = (keys: readonly string[]): ListedEntry[] => keys.map((key) => ({ key }) as unknown as ListedEntry);
const keysOf = fc.uniqueArray(fc.string({ maxLength: 6 }), { minLength: 1, maxLength: 40 }).map((keys) => keys.toSorted());

/** Pages through a list that is another before each page; the keys in the order in which they were listed. */
function paged(lists: readonly (readonly string[])[], size: number): string[] {
  const listed: string[] = [];
  let cursor: string | null = null;
  for (const [page, keys] of lists.entries()) {
    const entries = entriesOf(keys);
    const from: number | null = page === 0 ? 0 : cursors.open(callOf(ADA, cursor), 'tools/list', entries);
    if (from === null) throw new Error('the cursor did not open');
    const end = Math.min(from + size, keys.length);
    listed.push(...keys.slice(from, end));
    if (end === keys.length) break;
    cursor = cursors.seal(callOf(ADA, null), 'tools/list', { entries, end });
  }
  return listed;
}

test('pages follow one another without a gap and without an entry twice, whatever their size', () => {
  fc.assert(
    fc.property(keysOf, fc.integer({ min: 1, max: 10 }), (keys, size) => {
      expect(
        paged(
          Array.from({ length: keys.length }, () => keys),
          size,
        ),
      ).toEqual(keys);
    }),
  );
});

test('of a list that changes between two pages every entry that stays is listed once, as long as the one before the cursor stays', () => {
  fc.assert(
    fc.property(
      keysOf,
      fc.integer({ min: 1, max: 10 }),
      fc.array(fc.boolean(), { minLength: 40, maxLength: 40 }),
      (keys, size, comesLater) => {
        const before = keys.filter((_key, index) => comesLater[index] !== true);
        fc.pre(before.length > size);
        const last = before[size - 1];
        // What comes later comes anywhere; of the rest every third goes, but not the one before the cursor.
        const after = keys.filter((key, index) => key === last || comesLater[index] === true || index % 3 !== 0);
        const listed = paged([before, ...Array.from({ length: keys.length }, () => after)], size);
        expect(new Set(listed).size).toBe(listed.length);
        for (const key of before.filter((each) => after.includes(each))) expect(listed).toContain(key);
      },
    ),
  );
});

test('a cursor opens for its own caller, endpoint and list alone, in its own fleet; nothing else is one, and nothing throws (trap 6)', () => {
  const entries = entriesOf(['a', 'b', 'c']);
  const cursor = cursors.seal(callOf(ADA, null), 'tools/list', { entries, end: 2 });
  expect(cursors.open(callOf(ADA, cursor), 'tools/list', entries)).toBe(2);
  for (const other of [{ organisationId: 'evil' }, { serverId: 's' }, { userId: 'bob' }])
    expect(cursors.open(callOf({ ...ADA, ...other }, cursor), 'tools/list', entries)).toBeNull();
  expect(cursors.open(callOf(ADA, cursor), 'prompts/list', entries)).toBeNull();
  expect(makeListCursors(createKeyring([Buffer.alloc(32, 2)])).open(callOf(ADA, cursor), 'tools/list', entries)).toBeNull();
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.base64String(), fc.constantFrom('', '0', 'null')), (text) => {
      expect(cursors.open(callOf(ADA, text), 'tools/list', entries)).toBeNull();
    }),
  );
});

test('a cursor behind an entry that is gone is none: nothing is guessed', () => {
  const cursor = cursors.seal(callOf(ADA, null), 'tools/list', { entries: entriesOf(['a', 'b', 'c']), end: 2 });
  expect(cursors.open(callOf(ADA, cursor), 'tools/list', entriesOf(['a', 'c', 'd']))).toBeNull();
  expect(cursors.open(callOf(ADA, cursor), 'tools/list', entriesOf(['b', 'c']))).toBe(1);
});
