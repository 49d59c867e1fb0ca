import { expect, test } from 'vitest';
import { startOnTheFirstManifest } from './attacker.ts';
import { changeWhileCutOff, cutOffForLong, startCutOff } from './chaos.ts';
import { believesLateLookups, forgetsHowFarItCame, neverStale } from './mutations.ts';
import { simulate, type How } from './simulate.ts';

/** Enough to meet everything that may happen; `main.ts --seeds` runs thousands. */
const SEEDS = 30;

const report = ({ seed, violation, trace }: Awaited<ReturnType<typeof simulate>>): string =>
  violation === null ? '' : `seed ${seed}: ${violation.message}\n${trace.slice(-60).join('\n')}`;

/** The first broken rule among these seeds. */
async function firstBroken(seeds: number, how: How): Promise<string | null> {
  for (let seed = 1; seed <= seeds; seed += 1) {
    const { violation } = await simulate(seed, how);
    if (violation !== null) return violation.message.split(':')[0] ?? null;
  }
  return null;
}

test('through loss, partitions, restarts, jumping clocks and an attacker at the store every rule holds', async () => {
  let admitted = 0;
  let confirmations = 0;
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const run = await simulate(seed);
    expect(report(run)).toBe('');
    admitted += run.admitted;
    confirmations += run.confirmations;
  }
  // A fleet that refuses everything, or confirms nothing, breaks no rule.
  expect(admitted).toBeGreaterThan(1_000);
  expect(confirmations).toBeGreaterThan(100);
}, 120_000);

// Each of these seeds found a pod that went on too long, or below what was confirmed, before staleness counted for each organisation and the disk remembered ends.
test.each<[string, How, number[]]>([
  ['that comes back after its budget', { happens: changeWhileCutOff }, [5, 17, 18, 22, 30]],
  ['that starts where it hears of nothing', { happens: startCutOff }, [2, 4, 5, 6, 11]],
])(
  'a pod %s serves nothing below what was confirmed',
  async (_what, how, seeds) => {
    for (const seed of seeds) expect(report(await simulate(seed, how))).toBe('');
  },
  120_000,
);

// It found a pod that took a control plane's manifest for the stores' word, and went on although none counted on it.
test('a pod that no control plane has heard goes on by the stores alone', async () => {
  expect(report(await simulate(50_032))).toBe('');
}, 60_000);

// A pod that went by the stores after an orderly end, was killed, and came back from what its disk remembers of them.
test('what a pod read of the stores is remembered over a kill, and nobody who does not count on it is told more', async () => {
  expect(report(await simulate(60_365))).toBe('');
}, 60_000);

test('the same seed does the same', async () => {
  const [one, other] = [await simulate(7), await simulate(7)];
  expect(other).toEqual(one);
}, 60_000);

test.each<[string, How, string]>([
  [
    'does not know after a restart how far it had come',
    { mutation: forgetsHowFarItCame, happens: startOnTheFirstManifest },
    'positions never go back',
  ],
  ['believes lookups that are older than an invalidation', { mutation: believesLateLookups }, 'no revoked token is admitted'],
  [
    'serves without news as long as it likes',
    { mutation: neverStale, happens: cutOffForLong },
    'a pod never serves beyond its staleness budget',
  ],
])(
  'a gateway that %s is caught',
  async (_what, how, rule) => {
    expect(await firstBroken(60, how)).toBe(rule);
  },
  120_000,
);
