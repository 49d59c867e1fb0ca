import { isAfter, type Position } from './position.ts';

/** A moment as of which something is known; `onTrust`: by the stores alone, until a control plane says otherwise. */
export type AsOf = { readonly atMs: number; readonly onTrust: boolean };

/** The last moment at which what is served of an organisation is known to have been the newest. Goes back only when it was taken on trust, wrongly. */
export type Currency = {
  /** By the monotonic clock. */
  atMs(): number;
  /** The same, without what the stores alone have said. */
  surelyAtMs(): number;
  known(asOf: AsOf): void;
  /** A control plane said that at this moment there was nothing newer; whether it is what is served. */
  newestWas(position: Position, atMs: number): boolean;
  /** Something else is served now. */
  swapped(): void;
};

/** How long what was served on the stores' word alone is served on after a control plane has named something newer: it is on its way. */
const TRUST_ENDS_WITHIN_MS = 2_000;

/** `budgetMs`: after this since `atMs` what is served is stale. */
export function makeCurrency(served: () => Position | null, budgetMs: number): Currency {
  let known: AsOf = { atMs: Number.NEGATIVE_INFINITY, onTrust: false };
  let surelyAtMs = Number.NEGATIVE_INFINITY;
  /** What control planes have named and is not served yet, oldest first. */
  let awaited: readonly { readonly position: Position; readonly atMs: number }[] = [];

  function isCurrent(atMs: number): void {
    surelyAtMs = Math.max(surelyAtMs, atMs);
    known = { atMs: Math.max(known.atMs, atMs), onTrust: known.onTrust && known.atMs > atMs };
  }

  return {
    atMs: () => known.atMs,
    surelyAtMs: () => surelyAtMs,
    known(asOf) {
      if (!asOf.onTrust) surelyAtMs = Math.max(surelyAtMs, asOf.atMs);
      if (asOf.atMs > known.atMs) known = asOf;
    },
    newestWas(position, atMs) {
      const isServed = !isAfter(position, served());
      // What was the newest longer ago than the budget would be stale when it came.
      const others = awaited.filter((named) => atMs - named.atMs <= budgetMs);
      awaited = isServed ? others : [...others.filter((named) => isAfter(position, named.position)), { position, atMs }];
      if (isServed) isCurrent(atMs);
      // Only the stores have said that what is served was the newest, and it was not.
      else if (known.onTrust) known = { atMs: Math.max(surelyAtMs, atMs - budgetMs + TRUST_ENDS_WITHIN_MS), onTrust: false };
      return isServed;
    },
    swapped() {
      // Each: where changes come faster than they can be fetched, what was named last is never what is served.
      for (const { position, atMs } of awaited) if (!isAfter(position, served())) isCurrent(atMs);
      awaited = awaited.filter(({ position }) => isAfter(position, served()));
    },
  };
}
