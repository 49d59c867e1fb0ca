import { expect, test } from 'vitest';
import { Backoff } from './backoff.ts';

test('waits grow from 0.2 s to 5 s, and begin anew after a stable run', () => {
  const backoff = new Backoff();
  expect(Array.from({ length: 7 }, () => backoff.next(50))).toEqual([200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
  expect(backoff.next(60_000)).toBe(200);
  expect(backoff.next(50)).toBe(400);
});
