import type { SlotsHeld } from '@patchbay/ports';
import { Flight } from './flight.ts';
import { wholeWithin } from './whole-within.ts';
import type { CounterDeps, Credit, Verdict } from './window-lease.ts';

/** The store's side of one counter's concurrency, for this pod as holder. */
export type SlotStore = { hold(max: number, wanted: number, ttlMs: number): Promise<SlotsHeld> };

/** A pod that died loses its slots after this long. */
const TTL_MS = 10_000;
const RENEW_AFTER_MS = 3_000;
/** Slots count as lost this long before the store takes them away. */
const MARGIN_MS = 1_000;
/** Of `max`, what a pod may keep unused for a second; the rest it keeps for a moment, for the next call of a row. */
const KEPT_PART = 0.05;
const KEPT_MS = 1_000;
const LINGER_MS = 100;
/** How long "none left" is believed: a call that ends elsewhere frees one. */
const BELIEVED_MS = 100;
/** What a refused caller is told: nobody knows when a call will end. */
const RETRY_AFTER_MS = 1_000;

/** Slots of one counter's concurrency: held at the store under a lease, taken and released synchronously. */
export class SlotLease {
  readonly #deps: CounterDeps;
  readonly #store: SlotStore;
  readonly #flight: Flight;
  /** null: no concurrency is set any more. */
  #max: number | null = null;
  #inUse = 0;
  #held = 0;
  #heldUntilMs = Number.NEGATIVE_INFINITY;
  #renewAtMs = Number.NEGATIVE_INFINITY;
  #noneUntilMs = Number.NEGATIVE_INFINITY;
  #usedAtMs = Number.NEGATIVE_INFINITY;
  #waiting = 0;

  constructor(deps: CounterDeps, store: SlotStore) {
    this.#deps = deps;
    this.#store = store;
    this.#flight = new Flight(deps.health);
  }

  define(max: number | null): void {
    this.#max = max;
    this.#noneUntilMs = Number.NEGATIVE_INFINITY;
  }

  /** Takes one slot until `release`. */
  take(nowMs: number, credit: Credit): Verdict {
    const max = this.#max;
    if (max === null) return 'taken';
    const isAway = this.#deps.health.isAway;
    if (this.#inUse >= (isAway ? this.#shareOf(max) : max)) return 'refused';
    if (!isAway && (this.#inUse >= this.#held || nowMs >= this.#heldUntilMs)) {
      if (nowMs < this.#noneUntilMs) return 'refused';
      if (credit === 'none') return 'ask';
      if (credit === 'share' && this.#inUse >= this.#shareOf(max)) return 'refused';
    }
    this.#inUse += 1;
    this.#usedAtMs = nowMs;
    return 'taken';
  }

  /** The call has ended. */
  release(nowMs: number): void {
    if (this.#inUse > 0) this.#inUse -= 1;
    this.#usedAtMs = nowMs;
  }

  /** Undoes a `take`: there was no call. */
  undo(): void {
    if (this.#max !== null) this.#inUse -= 1;
  }

  /** Whether calls hold slots: such a counter may not be dropped. */
  get isInUse(): boolean {
    return this.#inUse > 0;
  }

  /** One more waits until `leave`. Resolves when the store has answered, or failed; those who wait at one time share a question. */
  wait(nowMs: number): Promise<void> {
    this.#waiting += 1;
    if (!this.#flight.isFlying) this.#hold(nowMs, Math.max(this.#held, this.#inUse + this.#waiting));
    return this.#flight.pending;
  }

  leave(): void {
    this.#waiting -= 1;
  }

  retryAfterMs(): number {
    return RETRY_AFTER_MS;
  }

  /** Renews what is in use and gives back what is not. False: nothing is left to do. */
  tick(nowMs: number): boolean {
    this.#flight.tick(nowMs);
    const wanted = this.#wanted(nowMs);
    const isDue =
      wanted < this.#held || (this.#held > 0 && nowMs >= this.#renewAtMs) || (wanted > this.#held && nowMs >= this.#noneUntilMs);
    if (isDue && !this.#flight.isFlying && this.#deps.health.mayAsk(nowMs)) this.#hold(nowMs, wanted);
    return this.#held > 0 || this.#inUse > 0 || this.#flight.isFlying;
  }

  /** Gives all of it back: this counter is dropped, or the pod ends. */
  async close(): Promise<void> {
    if (this.#held === 0) return;
    this.#held = 0;
    await this.#store.hold(this.#max ?? 1, 0, TTL_MS).catch(() => undefined);
  }

  #shareOf(max: number): number {
    return Math.max(1, Math.floor(max / Math.max(1, this.#deps.pods())));
  }

  /** What is in use and waited for, and for a moment what was in use until now. */
  #wanted(nowMs: number): number {
    if (this.#max === null) return 0;
    const idleMs = nowMs - this.#usedAtMs;
    const needed = this.#inUse + this.#waiting;
    if (idleMs >= KEPT_MS) return needed;
    if (idleMs >= LINGER_MS) return Math.max(needed, Math.min(this.#held, this.#inUse + Math.floor(this.#max * KEPT_PART)));
    return Math.max(needed, this.#held);
  }

  #hold(nowMs: number, wanted: number): void {
    const max = this.#max ?? 1;
    const asked = Math.min(wanted, max);
    // What is about to be given back may not be taken meanwhile.
    this.#held = Math.min(this.#held, asked);
    this.#flight.start(
      nowMs,
      () => this.#store.hold(max, asked, TTL_MS),
      ({ held }, isLatest) => {
        if (isLatest) this.#onHeld(held, asked, nowMs);
      },
    );
  }

  #onHeld(held: number, asked: number, askedAtMs: number): void {
    this.#held = wholeWithin(held, 0, asked);
    this.#heldUntilMs = askedAtMs + TTL_MS - MARGIN_MS;
    this.#renewAtMs = askedAtMs + RENEW_AFTER_MS;
    if (this.#held < asked) this.#noneUntilMs = this.#deps.clock.nowMs() + BELIEVED_MS;
  }
}
