/** How long after a failure the store is left alone before one counter asks it again. */
const LEFT_ALONE_MS = 1_000;
/** Ticks further apart than this: this process stood still, or was too busy to read an answer. */
const STOOD_STILL_MS = 400;
/** So long after that, what came too late or was cut off says nothing about the store. */
const AWAKE_AGAIN_MS = 500;

export type HealthListener = (isAway: boolean, why: string) => void;

/** Whether the counters' store answers. While it does not, each pod goes by its own share, and one question a second looks for it. */
export class StoreHealth {
  readonly #clock: { nowMs(): number };
  readonly #changed: HealthListener;
  #isAway = false;
  #askAgainAtMs = 0;
  #tickedAtMs: number | null = null;
  #awakeAgainAtMs = Number.NEGATIVE_INFINITY;

  constructor(clock: { nowMs(): number }, changed: HealthListener) {
    this.#clock = clock;
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

  /** To be called at every tick: a gap between two is time that the store did not have. */
  tick(nowMs: number): void {
    if (this.#stoodStill(nowMs)) this.#awakeAgainAtMs = nowMs;
    this.#tickedAtMs = nowMs;
  }

  answered(): void {
    if (!this.#isAway) return;
    this.#isAway = false;
    this.#changed(false, 'it answers again');
  }

  /** False: it may be this process that stood still, so that the question is to be asked again. */
  failed(why: string): boolean {
    const nowMs = this.#clock.nowMs();
    if (!this.#isAway && (this.#stoodStill(nowMs) || nowMs - this.#awakeAgainAtMs < AWAKE_AGAIN_MS)) return false;
    this.#askAgainAtMs = nowMs + LEFT_ALONE_MS;
    if (this.#isAway) return true;
    this.#isAway = true;
    this.#changed(true, why);
    return true;
  }

  #stoodStill(nowMs: number): boolean {
    return this.#tickedAtMs !== null && nowMs - this.#tickedAtMs > STOOD_STILL_MS;
  }
}
