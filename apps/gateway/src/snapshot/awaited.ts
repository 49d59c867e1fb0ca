import type { Clock } from './log.ts';
import { isAfter, type Position } from './position.ts';

/** What is known to exist of one organisation beyond what is served. */
export type Awaited = {
  /** A position exists, and can be had by now. */
  published(position: Position): void;
  /** A position exists, and will be published in a moment: runs `look` if it is not served by the time at which its publisher may be gone. */
  expect(position: Position, look: () => void): void;
  /** The highest of those that can be had by now. */
  target(): Position | null;
  /** Whether that is more than what is served. */
  isDue(): boolean;
  /** Since when more has been known to exist than is served; null when there is no more. */
  sinceMs(): number | null;
  /** Something else is served now. */
  swapped(): void;
  close(): void;
};

/** A publisher that says no word for this long after it has said that a position exists may be gone. */
const PUBLISHED_WITHIN_MS = 1_000;

export function makeAwaited(served: () => Position | null, clock: Clock): Awaited {
  const timers = new Set<NodeJS.Timeout>();
  let known: Position | null = null;
  let target: Position | null = null;
  let behindSinceMs: number | null = null;

  const isBehind = (position: Position | null): boolean => position !== null && isAfter(position, served());

  function exists(position: Position): void {
    if (isAfter(position, known)) known = position;
    if (isBehind(known)) behindSinceMs ??= clock.monotonicMs();
  }

  return {
    published(position) {
      exists(position);
      if (isAfter(position, target)) target = position;
    },
    expect(position, look) {
      exists(position);
      if (!isBehind(position)) return;
      const timer = setTimeout(() => {
        timers.delete(timer);
        if (isBehind(position)) look();
      }, PUBLISHED_WITHIN_MS);
      timers.add(timer);
    },
    target: () => target,
    isDue: () => isBehind(target),
    sinceMs: () => (isBehind(known) ? behindSinceMs : null),
    swapped() {
      if (!isBehind(known)) behindSinceMs = null;
    },
    close() {
      for (const timer of timers) clearTimeout(timer);
    },
  };
}
