import type { Revision } from '@patchbay/contracts';

/** Where an organisation stands in its single order of changes. A new epoch outranks every revision of the one before. */
export type Position = { readonly epoch: number; readonly revision: Revision };

/** Negative when `a` comes before `b`, 0 when they are the same. */
export function comparePositions(a: Position, b: Position): number {
  return a.epoch === b.epoch ? a.revision - b.revision : a.epoch - b.epoch;
}

/** Whether `a` comes after `b`; everything comes after null. */
export function isAfter(a: Position, b: Position | null): boolean {
  return b === null || comparePositions(a, b) > 0;
}

/**
 * Whether a manifest says something newer than what is served: a later position, or the same one published again, as after a
 * change of an operator's settings, which no revision counts.
 */
export function isNewer(
  manifest: Position & { readonly issuedAtMs: number },
  served: (Position & { readonly issuedAtMs: number }) | null,
): boolean {
  if (served === null || isAfter(manifest, served)) return true;
  return comparePositions(manifest, served) === 0 && manifest.issuedAtMs > served.issuedAtMs;
}
