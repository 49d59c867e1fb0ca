import type { Revision } from '@patchbay/contracts';
import { expect, test } from 'vitest';
import { makeCurrency } from './currency.ts';
import type { Position } from './position.ts';

const BUDGET_MS = 60_000;
const at = (revision: number): Position => ({ epoch: 1, revision: revision as Revision });

function served(revision: number) {
  const state = { position: at(revision) };
  const currency = makeCurrency(() => state.position, BUDGET_MS);
  const swapTo = (next: number): void => {
    state.position = at(next);
    currency.swapped();
  };
  return { currency, swapTo };
}

test('what is served when a control plane names nothing newer is known as of then', () => {
  const { currency } = served(1);
  expect(currency.newestWas(at(1), 1_000)).toBe(true);
  expect(currency.atMs()).toBe(1_000);
});

test('what was named newer counts as of when it was named, once it is served', () => {
  const { currency, swapTo } = served(1);
  currency.newestWas(at(1), 1_000);
  expect(currency.newestWas(at(2), 11_000)).toBe(false);
  expect(currency.atMs()).toBe(1_000);
  swapTo(2);
  expect(currency.atMs()).toBe(11_000);
});

// A pod whose fetches took longer than the time to the next comparison, with changes all the while, refused everything after its budget.
test('changes that come faster than they are fetched: what is served counts as of the last name that it reaches', () => {
  const { currency, swapTo } = served(1);
  for (let named = 2; named <= 20; named += 1) {
    currency.newestWas(at(named), named * 10_000);
    if (named > 2) swapTo(named - 1);
  }
  expect(currency.atMs()).toBe(190_000);
  expect(currency.surelyAtMs()).toBe(190_000);
});

test('what was named longer ago than the budget does not count when it is reached', () => {
  const { currency, swapTo } = served(1);
  currency.newestWas(at(2), 1_000);
  currency.newestWas(at(3), 1_001 + BUDGET_MS);
  swapTo(2);
  expect(currency.atMs()).toBe(Number.NEGATIVE_INFINITY);
  swapTo(3);
  expect(currency.atMs()).toBe(1_001 + BUDGET_MS);
});
