import type { Counters } from '@patchbay/ports';
import { expect, test } from 'vitest';
import { call, makeCounters, makePod, makeTime, ORGANISATION, ruleOf } from './counters.fixture.ts';
import { CENSUS_MS, makePodCensus } from './pod-census.ts';

test('pods count each other while they are there; one that ends or dies is not counted, and an absent store changes nothing', async () => {
  const time = makeTime();
  const counters = makeCounters(time);
  const [one, two, three] = ['one', 'two', 'three'].map((holder) => makePodCensus({ counters, holder, answered: () => undefined }));
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

// Calls alone do not find it: a limit on concurrency asks nothing for calls that end between two looks, and no calls ask nothing at all.
test('a store that is back is found by the next round, whatever calls there are', async () => {
  const time = makeTime();
  const counters = makeCounters(time);
  const { book, changes } = makePod(time, counters);
  const census = makePodCensus({ counters, holder: 'pod', answered: () => book.storeAnswered() });
  const counter = book.counter(ORGANISATION, 'one', ruleOf({ concurrency: 4 }));
  const round = async (): Promise<void> => {
    const asked = Promise.all([call(counter, time), census.refresh()]);
    await time.pass(200);
    await asked;
    counter.release(time.nowMs());
    book.tick();
  };
  counters.mode = 'fails';
  await round();
  expect(book.isStoreAway).toBe(true);
  await round();
  expect(book.isStoreAway).toBe(true);
  counters.mode = 'works';
  await round();
  expect(book.isStoreAway).toBe(false);
  expect(changes).toHaveLength(2);
});

test.each([Number.NaN, -5, 0, 0.3, Number.POSITIVE_INFINITY, undefined])(
  'a store that says there are %s pods leaves at least this one',
  async (inUse) => {
    const counters = { hold: async () => ({ held: 1, inUse }) } as unknown as Counters;
    const census = makePodCensus({ counters, holder: 'one', answered: () => undefined });
    await census.refresh();
    expect(census.count()).toBe(1);
  },
);
