/** How long after a failure the store is left alone before one counter asks it again. */
const LEFT_ALONE_MS = 1_000;

export type HealthListener = (isAway: boolean, why: string) => void;

/** Whether the counters' store answers. While it does not, each pod goes by its own share, and one question a second looks for it. */
export class StoreHealth {
  readonly #changed: HealthListener;
  #isAway = false;
  #askAgainAtMs = 0;

  constructor(changed: HealthListener) {
    this.#changed = changed;
  }

  get isAway(): boolean {
    return this.#isAway;
  }

  /** True when the store may be asked now; while it is away, for one question at a time. */
  mayAsk(nowMs: number): boolean {
    if (!this.#isAway) return true;
    if (nowMs < this.#askAgainAtMs) return false;
    this.#askAgainAtMs = nowMs + LEFT_ALONE_MS;
    return true;
  }

  answered(): void {
    if (!this.#isAway) return;
    this.#isAway = false;
    this.#changed(false, 'it answers again');
  }

  failed(nowMs: number, why: string): void {
    this.#askAgainAtMs = nowMs + LEFT_ALONE_MS;
    if (this.#isAway) return;
    this.#isAway = true;
    this.#changed(true, why);
  }
}
