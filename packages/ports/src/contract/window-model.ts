import { WINDOW_SLICES as SLICES, type Lease, type LimitWindow } from '../counters.ts';

/**
 * The arithmetic of counters, as one would write it down: what the stores' functions must answer, given the time at which they did.
 * Never used but to compare with.
 */
export class WindowModel {
  readonly #windows: readonly LimitWindow[];
  /** For each window, permits by slice. */
  readonly #slices: Map<number, number>[];

  constructor(windows: readonly LimitWindow[]) {
    this.#windows = windows;
    this.#slices = windows.map(() => new Map());
  }

  take(wanted: number, nowMs: number): Lease {
    const left = this.#windows.map(({ max }, k) => Math.max(0, max - this.#counted(k, nowMs)));
    const granted = Math.min(wanted, ...left);
    for (const [k, { windowMs }] of this.#windows.entries()) {
      const slice = sliceOf(nowMs, windowMs);
      this.#slices[k]?.set(slice, (this.#slices[k].get(slice) ?? 0) + granted);
      for (const old of this.#slices[k]?.keys() ?? []) if (old < slice - SLICES) this.#slices[k]?.delete(old);
    }
    const waits = this.#windows.map((_, k) => this.#waitMs(k, nowMs));
    return { granted, chargedAtMs: nowMs, retryAfterMs: granted < wanted ? Math.max(0, ...waits) : 0 };
  }

  giveBack(permits: number, chargedAtMs: number): void {
    for (const [k, { windowMs }] of this.#windows.entries()) {
      const slice = sliceOf(chargedAtMs, windowMs);
      this.#slices[k]?.set(slice, Math.max(0, (this.#slices[k].get(slice) ?? 0) - permits));
    }
  }

  #counted(k: number, nowMs: number): number {
    const { windowMs } = this.#windows[k] as LimitWindow;
    let sum = 0;
    for (const [slice, permits] of this.#slices[k] ?? []) if (slice >= sliceOf(nowMs, windowMs) - SLICES) sum += permits;
    return sum;
  }

  /** Until a window that is full has room for one, looking at one slice's end after another. */
  #waitMs(k: number, nowMs: number): number {
    const { windowMs, max } = this.#windows[k] as LimitWindow;
    if (this.#counted(k, nowMs) < max) return 0;
    for (let ahead = 1; ahead <= SLICES + 1; ahead += 1) {
      const atMs = Math.ceil(((sliceOf(nowMs, windowMs) + ahead) * windowMs) / SLICES);
      if (this.#counted(k, atMs) < max) return atMs - nowMs;
    }
    return windowMs;
  }
}

function sliceOf(ms: number, windowMs: number): number {
  return Math.floor((ms * SLICES) / windowMs);
}
