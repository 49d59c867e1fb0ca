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
