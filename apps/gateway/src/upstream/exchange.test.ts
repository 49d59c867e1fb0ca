import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Dispatcher } from 'undici';
import { expect, it, vi } from 'vitest';
import { Exchange, type Receiver } from './exchange.ts';

/** A dispatcher that hands over its handler, to be told what undici would say. */
function dispatcher(): { pool: Dispatcher; handler: () => Dispatcher.DispatchHandler } {
  let handler: Dispatcher.DispatchHandler | null = null;
  const pool = { dispatch: (_options: unknown, given: Dispatcher.DispatchHandler) => (handler = given) } as unknown as Dispatcher;
  return {
    pool,
    handler: () => {
      if (handler === null) throw new Error('nothing was dispatched');
      return handler;
    },
  };
}

function controller(): Dispatcher.DispatchController {
  return { aborted: false, paused: false, reason: null, abort: vi.fn(), pause: vi.fn(), resume: vi.fn() };
}

function receiver(overrides: Partial<Receiver> = {}): Receiver {
  return { head: vi.fn(), data: vi.fn(), end: vi.fn(), failed: vi.fn(), crashed: vi.fn(), ...overrides };
}

const REQUEST = { method: 'POST', path: '/', headers: {}, body: '', timeoutMs: 60_000 } as const;

it('a receiver that throws, even at the end, hears of it instead of waiting for ever', () => {
  for (const step of ['head', 'end'] as const) {
    const { handler, pool } = dispatcher();
    const error = new Error('ours');
    const told = receiver({
      [step]: () => {
        throw error;
      },
    });
    new Exchange({ ...REQUEST, pool }, told).start();
    handler().onRequestStart?.(controller(), null);
    handler().onResponseStart?.(controller(), 200, {});
    handler().onResponseEnd?.(controller(), {});
    expect(told.crashed).toHaveBeenCalledExactlyOnceWith(error);
    expect(told.failed).not.toHaveBeenCalled();
  }
});

/** An exchange whose deadline passes while its process stands still, and in that time something comes from its upstream. */
async function standStill(comes: (exchange: Exchange, handler: Dispatcher.DispatchHandler) => void): Promise<Receiver> {
  const upstream = new Worker(
    `const { parentPort } = require('node:worker_threads'); parentPort.on('message', (n) => parentPort.postMessage(n));`,
    {
      eval: true,
    },
  );
  await once(upstream, 'online');
  // From here it is timers that come next.
  await new Promise(setImmediate);
  const { handler, pool } = dispatcher();
  const told = receiver();
  const exchange = new Exchange({ ...REQUEST, pool, timeoutMs: 50 }, told);
  exchange.start();
  handler().onRequestStart?.(controller(), null);
  upstream.once('message', () => comes(exchange, handler()));
  upstream.postMessage(0);
  const untilMs = performance.now() + 100;
  while (performance.now() < untilMs);
  await new Promise((resolve) => setTimeout(resolve, 50));
  await upstream.terminate();
  return told;
}

it('an answer that is there when its process comes back from standing still is not too late', async () => {
  const told = await standStill((_exchange, handler) => handler.onResponseEnd?.(controller(), {}));
  expect(told.failed).not.toHaveBeenCalled();
  expect(told.end).toHaveBeenCalledOnce();
});

it('a stream that is there by then stands, and an answer that ends one is read to its end', async () => {
  for (const comes of ['endure', 'linger'] as const) {
    // oxlint-disable-next-line no-await-in-loop -- both would stand still at once
    const told = await standStill((exchange) => exchange[comes]());
    expect(told.failed).not.toHaveBeenCalled();
  }
});

it('an exchange that is aborted before it is sent is never sent, and says nothing', () => {
  const { handler, pool } = dispatcher();
  const told = receiver();
  const exchange = new Exchange({ ...REQUEST, pool }, told);
  exchange.start();
  exchange.abort();
  const late = controller();
  handler().onRequestStart?.(late, null);
  handler().onResponseError?.(late, new Error('aborted'));
  expect(late.abort).toHaveBeenCalledOnce();
  expect(told.failed).not.toHaveBeenCalled();
});

it.each([
  ['before anything was sent', false, 'dial'],
  ['after the request began', true, 'cut'],
] as const)('a connection that fails %s is told apart: only the first may be tried again', (_when, isSent, failure) => {
  const { handler, pool } = dispatcher();
  const told = receiver();
  new Exchange({ ...REQUEST, pool }, told).start();
  if (isSent) handler().onRequestStart?.(controller(), null);
  handler().onResponseError?.(controller(), Object.assign(new Error('reset'), { code: 'ECONNRESET' }));
  expect(told.failed).toHaveBeenCalledExactlyOnceWith(failure);
});

it('progress extends the deadline, but never beyond ten times the timeout (trap 11)', () => {
  vi.useFakeTimers();
  const { handler, pool } = dispatcher();
  const told = receiver();
  const exchange = new Exchange({ ...REQUEST, timeoutMs: 100, pool }, told);
  exchange.start();
  handler().onRequestStart?.(controller(), null);
  for (let elapsedMs = 0; elapsedMs < 1_000; elapsedMs += 50) {
    exchange.extend();
    vi.advanceTimersByTime(50);
    if (elapsedMs < 900) expect(told.failed).not.toHaveBeenCalled();
  }
  expect(told.failed).toHaveBeenCalledExactlyOnceWith('timeout');
  vi.useRealTimers();
});
