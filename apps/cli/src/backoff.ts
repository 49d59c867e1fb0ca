const FIRST_MS = 200;
const LONGEST_MS = 5_000;
/** Whoever ran this long starts from the shortest wait again. */
const STABLE_MS = 10_000;

/** How long to wait before something that ended is started again. */
export class Backoff {
  #ends = 0;

  /** Counts an end after `ranMs`, and says how long to wait. */
  next(ranMs: number): number {
    if (ranMs >= STABLE_MS) this.#ends = 0;
    this.#ends += 1;
    return Math.min(LONGEST_MS, FIRST_MS * 2 ** (this.#ends - 1));
  }
}
