import { WINDOW_SLICES, type Lease, type LimitWindow } from '@patchbay/ports';
import { Flight } from './flight.ts';
import { LocalWindow } from './local-window.ts';
import type { StoreHealth } from './store-health.ts';
import { wholeWithin } from './whole-within.ts';

/** `ask`: only the store can say. */
export type Verdict = 'taken' | 'ask' | 'refused';

/**
 * How far a call is admitted that the store could not be asked about: not at all; within this pod's share (the store is slow);
 * as far as this pod itself has counted (audit, which nothing waits for).
 */
export type Credit = 'none' | 'share' | 'whole';

/** What a counter needs of the world. */
export type CounterDeps = {
  readonly health: StoreHealth;
  readonly clock: { nowMs(): number };
  /** Live pods of the fleet, this one included. */
  readonly pods: () => number;
};

/** The store's side of one counter's windows. */
export type WindowStore = {
  take(windows: readonly LimitWindow[], wanted: number): Promise<Lease>;
  giveBack(windows: readonly LimitWindow[], permits: number, chargedAtMs: number): Promise<void>;
};

/** Permits charged at one moment of the store's clock; `sinceMs` is when they were asked for, by ours. */
type Piece = { permits: number; readonly chargedAtMs: number; readonly sinceMs: number };

/** Never more than this part of the smallest `max` is leased ahead. */
const AHEAD_PART = 0.01;
/** A call this soon after another makes the pod lease ahead. */
const RECENT_MS = 1_000;
/** Leases that are used up faster than this grow. */
const GROW_WITHIN_MS = 250;
/** Permits are spent within a twentieth of the window after they were charged, within these bounds, or given back. */
const HELD_PART = 0.05;
const HELD_MS = { min: 100, max: 2_000 };
/** How long "nothing left" is believed: others may give permits back before the store's word on it. */
const BELIEVED_MS = { min: 5, max: 1_000 };

/** Permits of one counter's windows: leased from the store ahead of need, spent synchronously, given back when not needed. */
export class WindowLease {
  readonly #deps: CounterDeps;
  readonly #store: WindowStore;
  readonly #flight: Flight;
  #windows: readonly LimitWindow[] = [];
  #local: LocalWindow[] = [];
  #pieces: Piece[] = [];
  #available = 0;
  /** Admitted without a permit while the store could not say; charged to it as soon as it can. */
  #owed = 0;
  #ahead = 0;
  #aheadMax = 1;
  #heldMs = HELD_MS.max;
  #waiting = 0;
  #spentAtMs = Number.NEGATIVE_INFINITY;
  #leasedAtMs = Number.NEGATIVE_INFINITY;
  #nothingUntilMs = Number.NEGATIVE_INFINITY;
  #retryAtMs = Number.NEGATIVE_INFINITY;
  #wasRefused = false;
  #lastWasOwed = false;

  constructor(deps: CounterDeps, store: WindowStore) {
    this.#deps = deps;
    this.#store = store;
    this.#flight = new Flight(deps.health);
  }

  /** Other windows or other numbers from now on; what this pod counted in windows that stay is kept. */
  define(windows: readonly LimitWindow[], nowMs: number): void {
    void this.#giveBackAll();
    this.#local = windows.map((window) => {
      const kept = this.#local.find(({ windowMs }) => windowMs === window.windowMs) ?? new LocalWindow(window, nowMs);
      kept.max = window.max;
      return kept;
    });
    this.#windows = windows;
    this.#nothingUntilMs = Number.NEGATIVE_INFINITY;
    this.#aheadMax = Math.max(1, Math.floor(Math.min(...windows.map(({ max }) => max)) * AHEAD_PART));
    const shortest = Math.min(...windows.map(({ windowMs }) => windowMs));
    this.#heldMs = Math.min(Math.max(shortest * HELD_PART, HELD_MS.min), HELD_MS.max);
  }

  /** Spends one permit. */
  take(nowMs: number, credit: Credit): Verdict {
    const isAway = this.#deps.health.isAway;
    if (!this.#hasRoom(nowMs, isAway)) {
      // Somebody has to look whether the store is back.
      if (isAway) this.#wasRefused = true;
      return 'refused';
    }
    if (isAway) {
      this.#spend(nowMs, true);
      return 'taken';
    }
    if (this.#available > 0) this.#giveBackHeldTooLong(nowMs);
    if (this.#available > 0) {
      this.#spend(nowMs, false);
      this.#leaseAhead(nowMs);
      return 'taken';
    }
    if (nowMs < this.#nothingUntilMs) {
      this.#wasRefused = true;
      return 'refused';
    }
    if (credit === 'none') return 'ask';
    if (credit === 'share' && !this.#hasRoom(nowMs, true)) return 'refused';
    this.#spend(nowMs, true);
    if (!this.#flight.isFlying) this.#lease(nowMs);
    return 'taken';
  }

  /** Undoes the last `take`, at the same moment. */
  undo(): void {
    for (const window of this.#local) window.undo();
    if (this.#lastWasOwed) {
      this.#owed -= 1;
      return;
    }
    const [oldest] = this.#pieces;
    if (oldest === undefined) return;
    oldest.permits += 1;
    this.#available += 1;
  }

  /** One more waits until `leave`. Resolves when the store has answered, or failed; those who wait at one time share a question. */
  wait(nowMs: number): Promise<void> {
    this.#waiting += 1;
    if (!this.#flight.isFlying) this.#lease(nowMs);
    return this.#flight.pending;
  }

  leave(): void {
    this.#waiting -= 1;
  }

  /** When a refused call may come again. */
  retryAfterMs(nowMs: number): number {
    const isAway = this.#deps.health.isAway;
    let retryAfterMs = isAway ? 0 : Math.max(0, this.#retryAtMs - nowMs);
    for (const window of this.#local) {
      const localMs = window.retryAfterMs(nowMs, isAway ? this.#shareOf(window.max) : window.max);
      // The store, which has the last word, counts a permit for up to one of its slices longer.
      const storeMs = localMs > 0 && !isAway ? window.windowMs / WINDOW_SLICES : 0;
      retryAfterMs = Math.max(retryAfterMs, localMs + storeMs);
    }
    return Math.ceil(retryAfterMs);
  }

  /** Gives back, charges what is owed, looks again after "nothing left" for those that were refused. False: nothing is left to do. */
  tick(nowMs: number): boolean {
    this.#flight.tick(nowMs);
    this.#giveBackHeldTooLong(nowMs);
    if (this.#owed > 0) this.#owed = Math.min(this.#owed, Math.max(...this.#local.map((window) => window.total(nowMs))));
    const isFree = nowMs >= this.#nothingUntilMs && !this.#flight.isFlying;
    if (isFree && (this.#wasRefused || this.#owed > 0) && this.#deps.health.mayAsk(nowMs)) {
      const forNext = this.#wasRefused ? 1 : 0;
      this.#wasRefused = false;
      this.#lease(nowMs, forNext);
    }
    return this.#available > 0 || this.#owed > 0 || this.#wasRefused || this.#flight.isFlying;
  }

  /** Gives all of it back: this counter is dropped, or the pod ends. */
  close(): Promise<unknown> {
    const given = this.#giveBackAll();
    // A lease that is on its way goes back when it arrives.
    this.#windows = [];
    return given;
  }

  #hasRoom(nowMs: number, isShare: boolean): boolean {
    for (const window of this.#local) {
      if (window.total(nowMs) >= (isShare ? this.#shareOf(window.max) : window.max)) return false;
    }
    return true;
  }

  #shareOf(max: number): number {
    return Math.max(1, Math.floor(max / Math.max(1, this.#deps.pods())));
  }

  #spend(nowMs: number, isOwed: boolean): void {
    this.#lastWasOwed = isOwed;
    for (const window of this.#local) window.add();
    if (nowMs - this.#spentAtMs <= RECENT_MS && this.#ahead === 0) this.#ahead = 1;
    this.#spentAtMs = nowMs;
    if (isOwed) {
      this.#owed += 1;
      return;
    }
    while (this.#pieces[0] !== undefined && this.#pieces[0].permits === 0) this.#pieces.shift();
    const [oldest] = this.#pieces;
    if (oldest !== undefined) oldest.permits -= 1;
    this.#available -= 1;
  }

  #leaseAhead(nowMs: number): void {
    if (this.#ahead === 0 || this.#available > this.#ahead >> 1) return;
    if (this.#flight.isFlying || nowMs < this.#nothingUntilMs) return;
    if (nowMs - this.#leasedAtMs < GROW_WITHIN_MS) this.#ahead = Math.min(this.#ahead * 2, this.#aheadMax);
    this.#lease(nowMs);
  }

  #lease(nowMs: number, forNext = 0): void {
    // What is at hand serves the next call too: more than `ahead` is never held.
    const wanted = this.#owed + Math.max(this.#waiting, this.#ahead - this.#available, forNext - this.#available);
    if (wanted <= 0) return;
    const windows = this.#windows;
    this.#leasedAtMs = nowMs;
    this.#flight.start(
      nowMs,
      () => this.#store.take(windows, wanted),
      (lease) => this.#onLease(lease, { windows, wanted, askedAtMs: nowMs }),
    );
  }

  #onLease(lease: Lease, { windows, wanted, askedAtMs }: { windows: readonly LimitWindow[]; wanted: number; askedAtMs: number }): void {
    const nowMs = this.#deps.clock.nowMs();
    const granted = wholeWithin(lease.granted, 0, wanted);
    const paid = Math.min(this.#owed, granted);
    this.#owed -= paid;
    const permits = granted - paid;
    if (windows !== this.#windows || nowMs - askedAtMs > this.#heldMs) {
      void this.#giveBack(windows, permits, lease.chargedAtMs);
      return;
    }
    if (permits > 0) {
      this.#pieces.push({ permits, chargedAtMs: lease.chargedAtMs, sinceMs: askedAtMs });
      this.#available += permits;
    }
    if (granted >= wanted) return;
    const longestMs = Math.max(...windows.map(({ windowMs }) => windowMs));
    const retryAfterMs = wholeWithin(lease.retryAfterMs, 1, 2 * longestMs);
    this.#retryAtMs = nowMs + retryAfterMs;
    this.#nothingUntilMs = nowMs + wholeWithin(retryAfterMs, BELIEVED_MS.min, BELIEVED_MS.max);
  }

  #giveBackHeldTooLong(nowMs: number): void {
    for (let oldest = this.#pieces[0]; oldest !== undefined && nowMs - oldest.sinceMs > this.#heldMs; oldest = this.#pieces[0]) {
      this.#pieces.shift();
      if (oldest.permits === 0) continue;
      this.#available -= oldest.permits;
      this.#ahead >>= 1;
      void this.#giveBack(this.#windows, oldest.permits, oldest.chargedAtMs);
    }
  }

  #giveBackAll(): Promise<unknown> {
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#available = 0;
    return Promise.all(pieces.map(({ permits, chargedAtMs }) => this.#giveBack(this.#windows, permits, chargedAtMs)));
  }

  /** What does not arrive leaves the count with its slice. */
  async #giveBack(windows: readonly LimitWindow[], permits: number, chargedAtMs: number): Promise<void> {
    if (permits === 0) return;
    await this.#store.giveBack(windows, permits, chargedAtMs).catch(() => undefined);
  }
}
