import type { OrganisationId } from '@patchbay/contracts';

/** Slices a window is counted in. */
export const WINDOW_SLICES = 50;

/**
 * At most `max` permits in any `windowMs`, both whole. Counted in fiftieths of the window, by the store's clock: the present slice and the
 * fifty before it. A slice leaves the count whole, so a permit counts up to a fiftieth too long and never too short; that is what a limit
 * loses under load.
 */
export type LimitWindow = { readonly windowMs: number; readonly max: number };

/** Permits of one counter that a pod may spend without asking again. */
export type Lease = {
  readonly granted: number;
  /** The moment of the store's clock at which they were charged: what `giveBack` takes. */
  readonly chargedAtMs: number;
  /** When fewer were granted than wanted: after how long at the earliest more can be had; else 0. */
  readonly retryAfterMs: number;
};

/** `held`: how many slots the holder has from now on. `inUse`: of all holders, ours included. */
export type SlotsHeld = { readonly held: number; readonly inUse: number };

/**
 * What pods share of an organisation's limits. All of it goes by the store's clock, so a pod whose clock jumps changes nothing.
 * Not on the path of a warm call: pods lease ahead and spend from memory. Lost on a crash of the store, which then counts from zero.
 */
export interface Counters {
  /** Charges up to `wanted` permits to every window at once, as many as all of them have left. Atomic. */
  take(organisationId: OrganisationId, counter: string, request: { windows: readonly LimitWindow[]; wanted: number }): Promise<Lease>;
  /** Takes permits that were not spent off the slices they were charged to; nothing when those have left the count. */
  giveBack(
    organisationId: OrganisationId,
    counter: string,
    unspent: { windows: readonly LimitWindow[]; permits: number; chargedAtMs: number },
  ): Promise<void>;
  /**
   * Sets how many of `max` slots a holder has: up to `wanted`, as many as the others leave. Fewer than it has gives the rest back,
   * 0 all of them. They are its own for `ttlMs`, then anybody's, unless it asks again. Atomic.
   */
  hold(
    organisationId: OrganisationId,
    counter: string,
    request: { holder: string; max: number; wanted: number; ttlMs: number },
  ): Promise<SlotsHeld>;
}

/** The lowest maximum of each length: two windows of one length are one counter. */
export function distinctWindows(windows: readonly LimitWindow[]): LimitWindow[] {
  const lowest = new Map<number, number>();
  for (const { windowMs, max } of windows) lowest.set(windowMs, Math.min(max, lowest.get(windowMs) ?? max));
  return [...lowest].map(([windowMs, max]) => ({ windowMs, max }));
}
