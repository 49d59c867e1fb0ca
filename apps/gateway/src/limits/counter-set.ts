import type { LeasedCounter } from './leased-counter.ts';

/** What an admitted call holds until it has ended. */
export type Admission = { readonly slots: readonly LeasedCounter[] };

/** The counters that count the calls of one caller about one object. */
export type CounterSet = {
  readonly enforce: readonly LeasedCounter[];
  readonly audit: readonly LeasedCounter[];
  /** What becomes of a call for which every counter had room. Made once, so that a call makes none. */
  readonly whole: { readonly admission: Admission | null; readonly audited: '' };
  /** How often the book had dropped a counter when this was made: if it has since, one of these may be it. */
  readonly dropped: number;
};
