import type { StoreHealth } from './store-health.ts';

/** After this long without an answer the store counts as away. */
const HANGING_AFTER_MS = 1_000;

/** One question to the store at a time: whoever asks meanwhile waits for the same answer. Never rejects. */
export class Flight {
  readonly #health: StoreHealth;
  #since: number | null = null;
  #pending: Promise<void> = Promise.resolve();
  /** Ends a flight whose failure was not believed. */
  #endAtTick: (() => void) | null = null;
  #number = 0;

  constructor(health: StoreHealth) {
    this.#health = health;
  }

  get isFlying(): boolean {
    return this.#since !== null;
  }

  get pending(): Promise<void> {
    return this.#pending;
  }

  /** `take` is called with each answer, also with one that comes after it was given up; `isLatest`: nothing was asked since. */
  start<T>(nowMs: number, ask: () => Promise<T>, take: (answer: T, isLatest: boolean) => void): void {
    this.#since = nowMs;
    const number = ++this.#number;
    this.#pending = ask().then(
      (answer) => {
        const isLatest = number === this.#number;
        if (isLatest) this.#since = null;
        this.#health.answered();
        take(answer, isLatest);
      },
      (error: unknown) => {
        if (number !== this.#number || this.#since === null) return undefined;
        if (!this.#health.failed(error instanceof Error ? error.message : 'it failed')) {
          return new Promise<void>((resolve) => (this.#endAtTick = resolve));
        }
        this.#since = null;
        return undefined;
      },
    );
  }

  /** Gives up on an answer that does not come. */
  tick(nowMs: number): void {
    if (this.#endAtTick !== null) {
      this.#endAtTick();
      this.#endAtTick = null;
      this.#since = null;
    }
    if (this.#since === null || nowMs - this.#since < HANGING_AFTER_MS) return;
    this.#since = this.#health.failed('it does not answer') ? null : nowMs;
  }
}
