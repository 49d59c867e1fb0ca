import { expect, test } from 'vitest';
import { summarize } from './test-summary.mjs';

const green = { success: true, numPassedTests: 12, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0 };

test('a green run says so', () => {
  expect(summarize(green, 0)).toBe('12 passed, 0 failed');
});

test('skipped tests are counted, not hidden', () => {
  expect(summarize({ ...green, numPendingTests: 1, numTodoTests: 1 }, 0)).toBe('12 passed, 0 failed, 2 skipped');
});

test('a run that failed never says 0 failed', () => {
  expect(summarize({ ...green, success: false, numFailedTests: 3 }, 1)).toBe('12 passed, 3 failed');
  expect(summarize({ ...green, success: false }, 1)).toBe('12 passed, 1 failed');
  expect(summarize(green, 1)).toBe('12 passed, 1 failed');
  expect(summarize(null, 1)).toBe('0 passed, 1 failed');
});

test('a command that ended well without running a test has failed', () => {
  expect(summarize(null, 0)).toBe('0 passed, 1 failed');
});
