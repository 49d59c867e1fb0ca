import { expect, test } from 'vitest';
import { runBench } from './run-bench.ts';

/** Rows that hold; a row joins when it does. */
const ONLY = ['refused-grant', 'refused-limit', 'refused-token'];

/** Beyond the budget: what a ratio of so short a run may be off by. */
const TOLERANCE = 1.2;

// Guarantee: nobody makes a call dearer unnoticed. Ratios of processor time alone: they survive a machine that is shared.
test('what a call costs stays within a fifth of its budget', async () => {
  const { lines } = await runBench({ only: ONLY, pace: { rounds: 3, seconds: 1 }, burnUs: 0, say: () => undefined });
  expect(lines.map(({ name }) => name)).toEqual(ONLY);
  const past = lines.filter(({ bound, figure }) => bound === null || figure === null || figure > bound * TOLERANCE);
  expect(past.map(({ name, text }) => `${name}: ${text}`)).toEqual([]);
});
