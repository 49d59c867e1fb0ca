import type { Counters } from '@patchbay/ports';
import { expect, test } from 'vitest';
import { makeCounters, makeTime } from './counters.fixture.ts';
import { CENSUS_MS, makePodCensus } from './pod-census.ts';

test('pods count each other while they are there; one that ends or dies is not counted, and an absent store changes nothing', async () => {
  const time = makeTime();
  const counters = makeCounters(time);
  const [one, two, three] = ['one', 'two', 'three'].map((holder) => makePodCensus({ counters, holder }));
  const all = [one, two, three].flatMap((census) => census ?? []);
  const round = async (some: typeof all): Promise<void> => {
    const said = Promise.all(some.map((census) => census.refresh()));
    await time.pass(CENSUS_MS);
    await said;
  };
  expect(all.map((census) => census.count())).toEqual([1, 1, 1]);
  for (let each = 0; each < 2; each += 1) await round(all);
  expect(all.map((census) => census.count())).toEqual([3, 3, 3]);
  counters.mode = 'fails';
  for (let each = 0; each < 5; each += 1) await round(all);
  expect(all.map((census) => census.count())).toEqual([3, 3, 3]);
  counters.mode = 'works';
  await round(all.slice(0, 1));
  // All were away for longer than they were remembered; nobody is alone for that.
  expect(one?.count()).toBe(3);
  await round(all);
  const left = three?.leave();
  await time.pass(10);
  await left;
  for (let each = 0; each < 2; each += 1) await round(all.slice(0, 2));
  expect(one?.count()).toBe(2);
  // The second is killed.
  for (let each = 0; each < 5; each += 1) await round(all.slice(0, 1));
  expect(one?.count()).toBe(1);
});

test.each([Number.NaN, -5, 0, 0.3, Number.POSITIVE_INFINITY, undefined])(
  'a store that says there are %s pods leaves at least this one',
  async (inUse) => {
    const census = makePodCensus({ counters: { hold: async () => ({ held: 1, inUse }) } as unknown as Counters, holder: 'one' });
    await census.refresh();
    expect(census.count()).toBe(1);
  },
);
