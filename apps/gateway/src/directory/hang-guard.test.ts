import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { HangGuard } from './hang-guard.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const clock = { nowMs: () => Date.now(), monotonicMs: () => Date.now() };
const never = (): Promise<never> => new Promise(() => {});

test('what hangs is waited for once: the next calls fail at once, and after a while it is tried again', async () => {
  let calls = 0;
  const guard = new HangGuard(clock);
  const port = guard.over({
    read: (): Promise<string> => {
      calls += 1;
      return calls === 1 ? never() : Promise.resolve('answer');
    },
  });
  void port.read();
  await vi.advanceTimersByTimeAsync(800);
  await expect(port.read()).rejects.toThrow('left alone');
  expect(calls).toBe(1);
  await vi.advanceTimersByTimeAsync(2_000);
  await expect(port.read()).resolves.toBe('answer');
});

test('an answer that comes late ends the hanging', async () => {
  const guard = new HangGuard(clock);
  let release = (): void => {};
  const slow = guard.run(
    () =>
      new Promise<string>((resolve) => {
        release = () => resolve('late');
      }),
  );
  await vi.advanceTimersByTimeAsync(900);
  release();
  await expect(slow).resolves.toBe('late');
  await expect(guard.run(() => Promise.resolve('next'))).resolves.toBe('next');
});

test('an error that comes at once is passed on and is no hanging', async () => {
  const guard = new HangGuard(clock);
  await expect(guard.run(() => Promise.reject(new Error('refused')))).rejects.toThrow('refused');
  await expect(guard.run(() => Promise.resolve(1))).resolves.toBe(1);
});
