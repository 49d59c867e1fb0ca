import { afterEach, expect, test, vi } from 'vitest';
import { ServerListener, type ServerListenerDeps } from './server-listener.ts';

const listeners: ServerListener[] = [];
afterEach(async () => {
  await Promise.all(listeners.splice(0).map((listener) => listener.stop()));
});

/** Pauses are a fiftieth of what they are to be. */
const QUICK = { random: () => 2 * (0.02 - 0.75) };
const SECOND = 20;

function listening(open: ServerListenerDeps['open'], more: Partial<ServerListenerDeps> = {}): void {
  listeners.push(new ServerListener({ open, relist: async () => 'unchanged', heard: () => undefined, ...QUICK, ...more }));
}

test('a stream that ends as soon as it stands is opened again after a second, then after twice as long each time', async () => {
  const openedAt: number[] = [];
  listening(async function* () {
    openedAt.push(performance.now());
    yield null;
  });
  await vi.waitFor(() => expect(openedAt.length).toBeGreaterThanOrEqual(6), { timeout: 5_000 });
  const gaps = openedAt.slice(1, 6).map((at, index) => at - (openedAt[index] ?? 0));
  // The least each may be, less what timers round: a busy machine only makes them longer.
  for (const [index, gap] of gaps.entries()) expect(gap, `gap ${index}`).toBeGreaterThan(SECOND * 2 ** index - 5);
});

test('one that stood for a while is opened again after a second, however often that happens', async () => {
  const clock = { at: 0 };
  let opened = 0;
  listening(
    async function* () {
      opened += 1;
      yield null;
      clock.at += 15_000;
    },
    { nowMs: () => clock.at },
  );
  // With pauses that double, ten take six seconds.
  await vi.waitFor(() => expect(opened).toBeGreaterThan(10), { timeout: 5_000 });
});
