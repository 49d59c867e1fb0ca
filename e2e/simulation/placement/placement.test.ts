import { expect, test } from 'vitest';
import { countsAnew, hearsNothing, leavesBehind, neverGivesUp, seldomRenews, storesForEach } from './placement-mutations.ts';
import { simulatePlacement, type HowPlacement, type PlacementRun } from './simulate-placement.ts';

/** Enough to meet everything that may happen; `main.ts --world placement --seeds` runs thousands. */
const SEEDS = 30;

const report = ({ seed, violation, trace }: PlacementRun): string =>
  violation === null ? '' : `seed ${seed}: ${violation.message}\n${trace.slice(-60).join('\n')}`;

async function firstBroken(seeds: number, how: HowPlacement): Promise<string | null> {
  for (let seed = 1; seed <= seeds; seed += 1) {
    const { violation } = await simulatePlacement(seed, how);
    if (violation !== null) return violation.message.split(':')[0] ?? null;
  }
  return null;
}

test('through partitions, lost and drained hosts, restarts and an attacker at the store, shared servers are where the record says', async () => {
  let [executions, moves] = [0, 0];
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const run = await simulatePlacement(seed);
    expect(report(run)).toBe('');
    executions += run.executions;
    moves += run.moves;
  }
  expect(executions).toBeGreaterThan(5_000);
  expect(moves).toBeGreaterThan(100);
}, 120_000);

test('the same seed does the same', async () => {
  expect(await simulatePlacement(7)).toEqual(await simulatePlacement(7));
}, 60_000);

// A record of before the store lost its data was put back after every gateway had restarted.
test('a record of before the store lost its data moves nothing', async () => {
  expect(report(await simulatePlacement(3224))).toBe('');
  expect((await simulatePlacement(3224, { mutation: countsAnew })).violation?.message).toContain('what others write moves nothing');
}, 60_000);

test.each<[string, HowPlacement, string]>([
  ['renew what they know too seldom', { mutation: seldomRenews }, 'what others write moves nothing'],
  ['hear nothing of moves', { mutation: hearsNothing, deeds: 20 }, 'gateways follow the record'],
  ['leave behind what they move away from', { mutation: leavesBehind, deeds: 0 }, 'what was left behind is ended'],
  ['never give a host up', { mutation: neverGivesUp, deeds: 0 }, 'a server is found elsewhere on next use'],
  ['have a store each', { mutation: storesForEach, deeds: 0 }, 'gateways agree'],
])(
  'gateways that %s are caught',
  async (_what, how, rule) => {
    expect(await firstBroken(60, how)).toBe(rule);
  },
  120_000,
);
