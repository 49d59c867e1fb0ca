import { expect, test } from 'vitest';
import {
  countsNobody,
  doublesSlots,
  doublesWindows,
  forgivesDebts,
  grantsHalf,
  keepsUnspent,
  permitsForEach,
  slotsForEach,
  slotsForLong,
} from './limits-mutations.ts';
import { simulateLimits, type HowLimits, type LimitsRun } from './simulate-limits.ts';

/** Enough to meet everything that may happen; `main.ts --world limits --seeds` runs thousands. */
const SEEDS = 40;

const report = ({ seed, violation, trace }: LimitsRun): string =>
  violation === null ? '' : `seed ${seed}: ${violation.message}\n${trace.slice(-60).join('\n')}`;

/** The rules that were broken, up to and with the one looked for. */
async function brokenUntil(rule: string, how: HowLimits): Promise<string[]> {
  const broken: string[] = [];
  for (let seed = 1; seed <= 60 && !broken.includes(rule); seed += 1) {
    const { violation } = await simulateLimits(seed, how);
    if (violation !== null) broken.push(violation.message.split(':')[0] ?? '');
  }
  return broken;
}

test('through loss, partitions, restarts, jumping clocks and a store without its data limits hold, and are used', async () => {
  let admitted = 0;
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const run = await simulateLimits(seed);
    expect(report(run)).toBe('');
    admitted += run.admitted;
  }
  expect(admitted).toBeGreaterThan(5_000);
}, 120_000);

test('the same seed does the same', async () => {
  expect(await simulateLimits(7)).toEqual(await simulateLimits(7));
}, 60_000);

// Pods with limits on concurrency alone did not find a store that was back.
test.each([148, 207, 81_427])('seed %i, which once broke a rule, breaks none', async (seed) => {
  expect(report(await simulateLimits(seed))).toBe('');
});

test.each<[string, HowLimits, string]>([
  ['gives each gateway permits of its own', { mutation: permitsForEach, deeds: 0 }, 'no more permits are spent than there are'],
  ['grants half', { mutation: grantsHalf, deeds: 0 }, 'under load a limit is used'],
  ['gives each gateway slots of its own', { mutation: slotsForEach, deeds: 0 }, 'no more calls are at work than the limit'],
  ['keeps the slots of the dead', { mutation: slotsForLong, deeds: 0 }, 'slots of a killed gateway come back'],
  ['does not say how many gateways there are', { mutation: countsNobody, deeds: 0 }, 'every pod knows how many there are'],
  ['forgives debts', { mutation: forgivesDebts, deeds: 0 }, 'what was admitted without the store is charged to it'],
  ['doubles windows', { mutation: doublesWindows, deeds: 0 }, 'a gateway alone never admits more than the maximum'],
  ['doubles concurrency', { mutation: doublesSlots, deeds: 0 }, 'a gateway alone never has more calls at work than the limit'],
  ['takes nothing back', { mutation: keepsUnspent, deeds: 0 }, 'a refused call is admitted when it was told to come'],
])(
  'a fleet that %s is caught',
  async (_what, how, rule) => {
    expect(await brokenUntil(rule, how)).toContain(rule);
  },
  120_000,
);
