import type { Counters, Lease, LimitWindow, SlotsHeld } from '@patchbay/ports';
import { distinctWindows, WINDOW_SLICES } from '../../../packages/ports/dist/counters.js';

type Hold = Parameters<Counters['hold']>[2];
type Slices = { readonly permits: Map<number, number>; untilMs: number };
type Held = { readonly slots: number; untilMs: number };

/** How the store's answers are sent: over a network, or at once. */
export type Ask = <T>(work: () => T) => Promise<T>;

const sliceAt = (ms: number, windowMs: number): number => Math.floor((ms * WINDOW_SLICES) / windowMs);

/** The counters of a Redis: what its scripts do to their hashes, by a clock that may be set. */
export class CounterStore {
  /** Somebody else answers in its place, and grants whatever is asked. */
  lies = false;
  readonly #nowMs: () => number;
  readonly #slices = new Map<string, Slices>();
  readonly #slots = new Map<string, Map<string, Held>>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  empty(): void {
    this.#slices.clear();
    this.#slots.clear();
  }

  /** The port of one pod. */
  portOver(ask: Ask): Counters {
    return {
      take: (id, counter, { windows, wanted }) => ask(() => this.#take(`${id} ${counter}`, distinctWindows(windows), wanted)),
      giveBack: (id, counter, { windows, permits, chargedAtMs }) =>
        ask(() => {
          for (const { windowMs } of distinctWindows(windows))
            this.#giveBack(`${id} ${counter} ${windowMs}`, { windowMs, permits, chargedAtMs });
        }),
      hold: (id, counter, request) => ask(() => this.#hold(`${id} ${counter}`, request)),
    };
  }

  #take(name: string, windows: readonly LimitWindow[], wanted: number): Lease {
    const nowMs = Math.floor(this.#nowMs());
    if (this.lies) return { granted: wanted, chargedAtMs: nowMs, retryAfterMs: 0 };
    const counted = windows.map((window) => this.#counted(`${name} ${window.windowMs}`, window, nowMs));
    const granted = Math.min(wanted, ...counted.map(({ max, sum }) => Math.max(0, max - sum)));
    let retryAfterMs = 0;
    for (const each of counted) {
      if (granted > 0) {
        each.permits.set(each.current, (each.permits.get(each.current) ?? 0) + granted);
        const untilMs = nowMs + Math.ceil((each.windowMs * (WINDOW_SLICES + 1)) / WINDOW_SLICES) + 1;
        this.#slices.set(`${name} ${each.windowMs}`, { permits: each.permits, untilMs });
      }
      const sum = each.sum + granted;
      if (granted < wanted && sum >= each.max) retryAfterMs = Math.max(retryAfterMs, waitMs(each, sum, nowMs));
    }
    return { granted, chargedAtMs: nowMs, retryAfterMs };
  }

  /** What counts of a window: slices that have left are gone, and those of a time that is yet to come count as now. */
  #counted(key: string, { windowMs, max }: LimitWindow, nowMs: number): Counted {
    const current = sliceAt(nowMs, windowMs);
    const permits = new Map<number, number>();
    const stored = this.#slices.get(key);
    let sum = 0;
    for (const [slice, count] of stored !== undefined && stored.untilMs > nowMs ? stored.permits : []) {
      if (slice < current - WINDOW_SLICES) continue;
      const at = Math.min(slice, current);
      permits.set(at, (permits.get(at) ?? 0) + count);
      sum += count;
    }
    return { windowMs, max, current, permits, sum };
  }

  #giveBack(key: string, { windowMs, permits, chargedAtMs }: { windowMs: number; permits: number; chargedAtMs: number }): void {
    const stored = this.#slices.get(key)?.permits;
    const slice = sliceAt(chargedAtMs, windowMs);
    const left = (stored?.get(slice) ?? 0) - permits;
    if (left > 0) stored?.set(slice, left);
    else stored?.delete(slice);
  }

  #hold(name: string, { holder, max, wanted, ttlMs }: Hold): SlotsHeld {
    const nowMs = Math.floor(this.#nowMs());
    if (this.lies) return { held: wanted, inUse: wanted };
    const holders = this.#slots.get(name) ?? new Map<string, Held>();
    this.#slots.set(name, holders);
    let others = 0;
    for (const [each, held] of holders) {
      if (held.untilMs <= nowMs || each === holder) holders.delete(each);
      else {
        held.untilMs = Math.min(held.untilMs, nowMs + ttlMs);
        others += held.slots;
      }
    }
    const held = Math.max(0, Math.min(wanted, max - others));
    if (held > 0) holders.set(holder, { slots: held, untilMs: nowMs + ttlMs });
    return { held, inUse: others + held };
  }
}

type Counted = LimitWindow & { readonly current: number; readonly permits: Map<number, number>; readonly sum: number };

/** Until so many slices have left that there is room for one. */
function waitMs({ current, max, permits, windowMs }: Counted, sum: number, nowMs: number): number {
  let left = 0;
  for (let slice = current - WINDOW_SLICES; slice <= current; slice += 1) {
    left += permits.get(slice) ?? 0;
    if (left > sum - max) return Math.ceil(((slice + WINDOW_SLICES + 1) * windowMs) / WINDOW_SLICES) - nowMs;
  }
  return windowMs;
}
