import { expect, test, vi } from 'vitest';
import { makeRefresher, type Attempt } from './refresher.ts';

const failed = (error: unknown): void => {
  throw error;
};

test('a kick during an attempt is followed by another attempt at once, also when the first one said stop', async () => {
  const open: (() => void)[] = [];
  const attempt = vi.fn(() => new Promise<Attempt>((resolve) => void open.push(() => resolve('stop'))));
  const refresher = makeRefresher({ attempt, failed });
  refresher.kick();
  refresher.kick();
  open[0]?.();
  await vi.waitFor(() => expect(attempt).toHaveBeenCalledTimes(2));
  open[1]?.();
  await refresher.settled();
  expect(attempt).toHaveBeenCalledTimes(2);
});

test('a kick ends the pause between attempts', async () => {
  vi.useFakeTimers();
  try {
    const attempt = vi.fn(async (): Promise<Attempt> => 'again');
    const refresher = makeRefresher({ attempt, failed });
    refresher.kick();
    await vi.advanceTimersByTimeAsync(0);
    expect(attempt).toHaveBeenCalledTimes(1);
    refresher.kick();
    await vi.advanceTimersByTimeAsync(0);
    expect(attempt).toHaveBeenCalledTimes(2);
    refresher.close();
    await refresher.settled();
  } finally {
    vi.useRealTimers();
  }
});

test('attempts that fail end after a while, and a later kick begins anew', async () => {
  vi.useFakeTimers();
  try {
    const errors: unknown[] = [];
    const attempt = vi.fn(async (): Promise<Attempt> => {
      throw new Error('away');
    });
    const refresher = makeRefresher({ attempt, failed: (error) => void errors.push(error) });
    refresher.kick();
    await vi.advanceTimersByTimeAsync(60_000);
    await refresher.settled();
    const tried = attempt.mock.calls.length;
    expect(tried).toBeGreaterThan(5);
    expect(errors).toHaveLength(tried);
    refresher.kick();
    await vi.advanceTimersByTimeAsync(0);
    expect(attempt).toHaveBeenCalledTimes(tried + 1);
    refresher.close();
  } finally {
    vi.useRealTimers();
  }
});
