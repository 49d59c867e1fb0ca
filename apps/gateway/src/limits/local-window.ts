import type { LimitWindow } from '@patchbay/ports';

/** A call leaves the count at most this part of the window late, and never early. */
const SLICES = 128;

/**
 * What this pod itself admitted in a window, by its own monotonic clock. Whatever a store says, a pod goes by this first: alone it
 * never admits more than `max` in any window. 0.5 KB a window.
 */
export class LocalWindow {
  readonly windowMs: number;
  max: number;
  readonly #sliceMs: number;
  /** The present slice and as many before it as make a whole window, in a ring. */
  readonly #counts = new Uint32Array(SLICES + 1);
  #slice: number;
  #total = 0;

  constructor({ windowMs, max }: LimitWindow, nowMs: number) {
    this.windowMs = windowMs;
    this.max = max;
    this.#sliceMs = windowMs / SLICES;
    this.#slice = Math.floor(nowMs / this.#sliceMs);
  }

  /** How many count at this moment. */
  total(nowMs: number): number {
    const slice = Math.floor(nowMs / this.#sliceMs);
    if (slice > this.#slice) this.#advanceTo(slice);
    return this.#total;
  }

  /** Counts one admission at the moment that `total` was last asked for. */
  add(): void {
    const index = this.#slice % this.#counts.length;
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#total += 1;
  }

  /** Undoes an `add`, before `total` is asked for at another moment. */
  undo(): void {
    const index = this.#slice % this.#counts.length;
    this.#counts[index] = (this.#counts[index] ?? 1) - 1;
    this.#total -= 1;
  }

  /** How long until fewer than `allowed` count, if nothing is admitted meanwhile. */
  retryAfterMs(nowMs: number, allowed: number): number {
    let left = this.total(nowMs);
    for (let age = SLICES; age >= 0; age -= 1) {
      if (left < allowed) return 0;
      const slice = this.#slice - age;
      const count = slice < 0 ? 0 : (this.#counts[slice % this.#counts.length] ?? 0);
      left -= count;
      if (count > 0 && left < allowed) return (slice + this.#counts.length) * this.#sliceMs - nowMs;
    }
    return 0;
  }

  #advanceTo(slice: number): void {
    const { length } = this.#counts;
    const from = Math.max(this.#slice + 1, slice - length + 1);
    for (let each = from; each <= slice; each += 1) {
      const index = each % length;
      this.#total -= this.#counts[index] ?? 0;
      this.#counts[index] = 0;
    }
    this.#slice = slice;
  }
}
