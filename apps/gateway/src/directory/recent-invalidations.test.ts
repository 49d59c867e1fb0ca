import { expect, test } from 'vitest';
import type { Invalidation, OrganisationId, TokenHash, UserId } from '@patchbay/contracts';
import { makeRecentInvalidations } from './recent-invalidations.ts';

const ACME = 'a' as OrganisationId;
const subject = (tokenHash: string) => ({ tokenHash: tokenHash as TokenHash, userId: 'u' as UserId });
const ofToken = (tokenHash: string, revision: number) => ({ kind: 'token', tokenHash, revision }) as Invalidation;

function make(max = 10) {
  const clock = { now: 0, nowMs: () => clock.now, monotonicMs: () => clock.now };
  const overflowed: OrganisationId[] = [];
  return { clock, overflowed, recent: makeRecentInvalidations({ clock, max, overflowed: (id) => void overflowed.push(id) }) };
}

test('withdraws what was true before its revision, of that organisation alone, for longer than a lookup takes', () => {
  const { recent, clock } = make();
  recent.add(ACME, ofToken('t', 5));
  clock.now = 60_000;
  recent.add(ACME, ofToken('other', 6));
  expect(recent.withdrawn(ACME, subject('t'), 4)).toBe(true);
  expect(recent.withdrawn(ACME, subject('t'), 5)).toBe(false);
  expect(recent.withdrawn('b' as OrganisationId, subject('t'), 4)).toBe(false);
});

test('an older invalidation that arrives late does not replace a newer one', () => {
  const { recent } = make();
  expect(recent.add(ACME, ofToken('t', 5))).toBe(true);
  expect(recent.add(ACME, ofToken('t', 3))).toBe(false);
  expect(recent.withdrawn(ACME, subject('t'), 4)).toBe(true);
});

test('when full it says whose invalidation it gave up, so that nothing cached of them is trusted', () => {
  const { recent, overflowed } = make(2);
  for (const name of ['a', 'b', 'c']) recent.add(ACME, ofToken(name, 5));
  expect(overflowed).toEqual([ACME]);
  expect(recent.withdrawn(ACME, subject('c'), 4)).toBe(true);
});
