import { describe, expect, test } from 'vitest';
import { call, makeCounters, makePod, makeRandom, makeTime, mostInAWindow, ORGANISATION, ruleOf } from './counters.fixture.ts';
import { TICK_MS } from './lease-book.ts';

type Load = { readonly max: number; readonly windowMs: number; readonly perSecond: readonly number[]; readonly windows: number };

/** When each pod admitted a call, in ms: a call arrives at each with its own rate. */
async function admittedUnder({ max, windowMs, perSecond, windows }: Load, seed = 1): Promise<number[]> {
  const time = makeTime();
  const counters = makeCounters(time);
  const random = makeRandom(seed);
  const rule = ruleOf({ windows: [{ windowMs, max }] });
  const pods = perSecond.map((_, index) => makePod(time, counters, { holder: `pod ${index}`, pods: perSecond.length }));
  const admitted: number[] = [];
  const stepMs = Math.min(5, windowMs / 200);
  const begunMs = time.nowMs();
  for (let step = 0; time.nowMs() < begunMs + windows * windowMs; step += 1) {
    pods.forEach(({ book }, index) => {
      const expected = ((perSecond[index] ?? 0) * stepMs) / 1000;
      const count = Math.floor(expected) + (random() < expected % 1 ? 1 : 0);
      for (let each = 0; each < count; each += 1) {
        void call(book.counter(ORGANISATION, 'one', rule), time).then((isAdmitted) => isAdmitted && admitted.push(time.nowMs()));
      }
    });
    if ((step * stepMs) % TICK_MS < stepMs) for (const { book } of pods) book.tick();
    await time.pass(stepMs);
  }
  return admitted;
}

describe('three pods on one store, asked for more than the limit allows', () => {
  const cases: [string, Load][] = [
    ['1,000 a minute, evenly', { max: 1_000, windowMs: 60_000, perSecond: [10, 10, 10], windows: 12 }],
    ['1,000 a minute, unevenly', { max: 1_000, windowMs: 60_000, perSecond: [30, 4, 1], windows: 12 }],
    ['1,000 a minute, one pod alone', { max: 1_000, windowMs: 60_000, perSecond: [40, 0, 0], windows: 12 }],
    ['60 a minute', { max: 60, windowMs: 60_000, perSecond: [3, 1, 0.2], windows: 12 }],
    ['200 a second', { max: 200, windowMs: 1_000, perSecond: [300, 150, 30], windows: 60 }],
    ['7 in ten seconds', { max: 7, windowMs: 10_000, perSecond: [2, 2, 1], windows: 40 }],
  ];
  test.each(cases)('%s: at least 95 of 100 are admitted, and in no window more than 105', async (_name, load) => {
    const admitted = await admittedUnder(load);
    // The last window may not have ended.
    const expected = load.max * load.windows;
    expect(admitted.length).toBeGreaterThanOrEqual(expected * 0.95);
    expect(mostInAWindow(admitted, load.windowMs)).toBeLessThanOrEqual(Math.max(load.max * 1.05, load.max + 1));
  });
});
