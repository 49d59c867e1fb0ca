import { expect, test } from 'vitest';
import type { Row } from '../rows/row.ts';
import { boundOf, lineOf, RESERVED } from './figures.ts';

const row = (budget: Row['budget']): Row => ({ name: 'call', work: 'a call', budget });
const verdict = (budget: Row['budget'], figure: number | null): string => lineOf(row(budget), { row: 'call', figure, text: '' }).verdict;

test('a figure at its bound holds, one past it does not, whichever side is good', () => {
  const most = { text: '≤ 2', at: 2, is: 'at most' } as const;
  const least = { text: '≥ 2', at: 2, is: 'at least' } as const;
  expect([2, 2.01].map((figure) => verdict(most, figure))).toEqual(['holds', 'missed']);
  expect([2, 1.99].map((figure) => verdict(least, figure))).toEqual(['holds', 'missed']);
  expect(verdict(most, Number.NaN)).toBe('missed');
});

test('what cannot be measured is not said to hold, and what has no budget is reported', () => {
  expect([verdict({ text: '', at: 1, is: 'at most' }, null), verdict(null, 7)]).toEqual(['not measured', 'reported']);
});

test('while work that was reserved is not built, 5 % of its budget are kept free', () => {
  const budget = { text: '', at: 2, is: 'at most', reserves: true } as const;
  expect(boundOf(budget)).toBe(RESERVED.every(({ isBuilt }) => isBuilt) ? 2 : 1.9);
});
