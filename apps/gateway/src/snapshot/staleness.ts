import type { AsOf } from './currency.ts';
import type { Files } from './files.ts';
import type { Clock } from './log.ts';

/**
 * How long this pod has been without news: a control plane that took its report and said where everything stands. By the monotonic clock
 * while it runs. The moment is kept on disk by the wall clock, so that a restart does not renew the budget. Stores give no news, because
 * whoever writes there can repeat what was; while no control plane answers they are trusted all the same, as long as they can be read to
 * their end: with every control plane away nobody can revoke.
 */
export type Staleness = {
  exceeded(): boolean;
  /** By the wall clock as it is now; 0 when there never was any. */
  lastNewsAtMs(): number;
  /** `atMs`: when it was asked for, by the monotonic clock. */
  news(atMs: number): void;
  /** No control plane answered, and the stores were read to their end. `atMs`: when that began. */
  trusted(atMs: number): void;
  /** As of when what is loaded is known: by news, or (`onTrust`) by the stores alone. */
  known(): AsOf;
  restore(): Promise<void>;
  persist(): Promise<void>;
  hasEnded(): boolean;
  /** Nothing is served any more, and the next start serves nothing from disk before it has news. False when the disk does not take that. */
  end(): Promise<boolean>;
};

export type StalenessDeps = { readonly clock: Clock; readonly budgetMs: number; readonly files: Files; readonly file: string };

/** What the disk has, by the wall clock; 0 for never. */
type Marks = { readonly lastNewsAtMs: number; readonly trustedAtMs: number };

/** Every news is kept in memory; the disk learns of it this often. */
const PERSIST_EVERY_MS = 30_000;
const NEVER = Number.NEGATIVE_INFINITY;
/** A mark of later than this is of a clock that was set back since: how old it is cannot be known. */
const CLOCK_CORRECTION_MS = 5_000;

export function makeStaleness({ clock, budgetMs, files, file }: StalenessDeps): Staleness {
  let newsAtMs = NEVER;
  let trustedAtMs = NEVER;
  let persistedAtMs = NEVER;
  let ended = false;
  let writing: Promise<void> = Promise.resolve();

  const lastMs = (): number => Math.max(newsAtMs, trustedAtMs);
  const byWallClock = (atMs: number): number => (atMs === NEVER ? 0 : Math.round(clock.nowMs() - (clock.monotonicMs() - atMs)));

  /** One after another: the last one stays. */
  function write(marks: Marks): Promise<void> {
    writing = writing.catch(() => undefined).then(() => files.writeAtomically(file, JSON.stringify(marks)));
    return writing;
  }

  /** The moment of a mark by the monotonic clock. */
  function momentOf(mark: unknown): number {
    const agoMs = typeof mark === 'number' ? clock.nowMs() - mark : NEVER;
    return agoMs >= -CLOCK_CORRECTION_MS ? clock.monotonicMs() - Math.max(0, agoMs) : NEVER;
  }

  async function persist(): Promise<void> {
    if (ended || lastMs() === persistedAtMs) return;
    persistedAtMs = lastMs();
    await write({ lastNewsAtMs: byWallClock(newsAtMs), trustedAtMs: byWallClock(trustedAtMs) });
  }

  function persistNow(): void {
    // A mark that cannot be written only shortens the time after a restart.
    if (lastMs() - persistedAtMs >= PERSIST_EVERY_MS) persist().catch(() => undefined);
  }

  return {
    exceeded: () => ended || clock.monotonicMs() - lastMs() > budgetMs,
    lastNewsAtMs: () => byWallClock(newsAtMs),
    news(atMs) {
      newsAtMs = Math.max(newsAtMs, atMs);
      persistNow();
    },
    trusted(atMs) {
      trustedAtMs = Math.max(trustedAtMs, atMs);
      persistNow();
    },
    known: () => (newsAtMs >= trustedAtMs ? { atMs: newsAtMs, onTrust: false } : { atMs: trustedAtMs, onTrust: true }),
    async restore() {
      try {
        const kept = JSON.parse(String(await files.read(file))) as Partial<Marks> | null;
        newsAtMs = Math.max(newsAtMs, momentOf(kept?.lastNewsAtMs));
        trustedAtMs = Math.max(trustedAtMs, momentOf(kept?.trustedAtMs));
      } catch {
        // None kept, or unreadable: as good as no news.
      }
    },
    persist,
    hasEnded: () => ended,
    async end() {
      ended = true;
      return write({ lastNewsAtMs: 0, trustedAtMs: 0 }).then(
        () => true,
        () => false,
      );
    },
  };
}
