import { monitorEventLoopDelay } from 'node:perf_hooks';

/** Seconds by which the event loop came late, as the worst of the last minute. */
export type EventLoopDelay = { readonly p50: number; readonly p99: number; readonly max: number };

type Window = EventLoopDelay;

const RESOLUTION_MS = 10;
const WINDOW_MS = 10_000;
const WINDOWS = 6;
const NS_PER_S = 1e9;

/**
 * Watches the event loop from now on. Windows of ten seconds, of which the last six count: whoever asks, however often, takes
 * nothing from the next one who asks. Keeps no process alive.
 */
export function watchEventLoop(): () => EventLoopDelay {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  const windows: Window[] = [];
  // The timer it measures with is itself due every RESOLUTION_MS: an idle loop would read as late by that.
  const late = (nanoseconds: number): number => Math.max(0, nanoseconds / NS_PER_S - RESOLUTION_MS / 1_000);
  const present = (): Window =>
    histogram.count === 0
      ? { p50: 0, p99: 0, max: 0 }
      : { p50: late(histogram.percentile(50)), p99: late(histogram.percentile(99)), max: late(histogram.max) };
  setInterval(() => {
    windows.push(present());
    if (windows.length > WINDOWS) windows.shift();
    histogram.reset();
  }, WINDOW_MS).unref();
  return () => [...windows, present()].reduce(worse);
}

function worse(a: Window, b: Window): Window {
  return { p50: Math.max(a.p50, b.p50), p99: Math.max(a.p99, b.p99), max: Math.max(a.max, b.max) };
}
