import { expect, test } from 'vitest';
import { Backoff } from './backoff.ts';

test('a server that cannot start waits 1 s, then twice as long each time, and never more than a minute', () => {
  const backoff = new Backoff();
  const waits = Array.from({ length: 9 }, (_, round) => {
    backoff.startFailed('a', round * 60_000);
    return backoff.waitMs('a', round * 60_000);
  });
  expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
});

test('the first crash of a server that was serving costs no wait, the next ones do', () => {
  const backoff = new Backoff();
  backoff.crashed('a', 0);
  expect(backoff.waitMs('a', 0)).toBe(0);
  backoff.crashed('a', 10);
  expect(backoff.waitMs('a', 10)).toBe(1_000);
  backoff.crashed('a', 20);
  expect(backoff.waitMs('a', 20)).toBe(2_000);
});

test('one server does not wait for another, and five minutes without a failure forgive', () => {
  const backoff = new Backoff();
  backoff.startFailed('a', 0);
  backoff.startFailed('a', 1);
  expect(backoff.waitMs('b', 1)).toBe(0);
  backoff.sweep(300_002);
  backoff.startFailed('a', 300_002);
  expect(backoff.waitMs('a', 300_002)).toBe(1_000);
});
