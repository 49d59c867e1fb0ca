import type { AsOf } from './currency.ts';
import type { Files } from './files.ts';
import type { Clock } from './log.ts';

/**
 * How long this pod has been without news: a control plane that took its report and said where everything stands. By the monotonic clock
 * while it runs. The moment is kept on disk by the wall clock, so that a restart does not renew the budget. Stores give no news, because
 * whoever writes there can repeat what was; while no control plane answers they are trusted all the same, as long as they can be read to
 * their end: with every control plane away nobody can revoke. The disk is not told of that trust.
 */
export type Staleness = {
  exceeded(): boolean;
  /** By the wall clock as it is now; 0 when there never was any. */
  lastNewsAtMs(): number;
  /** `atMs`: when it was asked for, by the monotonic clock. */
  news(atMs: number): void;
  /** No control plane answered, and the stores were read to their end. `atMs`: when that began. */
  trusted(atMs: number): void;
  /** As of when what was loaded from there is known: by news, or (`onTrust`) by the stores alone. */
  knownAs(from: 'disk' | 'live'): AsOf;
  restore(): Promise<void>;
  persist(): Promise<void>;
  hasEnded(): boolean;
  /** Nothing is served any more, and the next start serves nothing from disk before it has news. False when the disk does not take that. */
  end(): Promise<boolean>;
};

export type StalenessDeps = { readonly clock: Clock; readonly budgetMs: number; readonly files: Files; readonly file: string };

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

  const lastNewsAtMs = (): number => (newsAtMs === NEVER ? 0 : Math.round(clock.nowMs() - (clock.monotonicMs() - newsAtMs)));

  /** One after another: the last one stays. */
  function write(markMs: number): Promise<void> {
    writing = writing.catch(() => undefined).then(() => files.writeAtomically(file, JSON.stringify({ lastNewsAtMs: markMs })));
    return writing;
  }

  async function persist(): Promise<void> {
    if (ended || newsAtMs === persistedAtMs) return;
    persistedAtMs = newsAtMs;
    await write(lastNewsAtMs());
  }

  return {
    exceeded: () => ended || clock.monotonicMs() - Math.max(newsAtMs, trustedAtMs) > budgetMs,
    lastNewsAtMs,
    news(atMs) {
      newsAtMs = Math.max(newsAtMs, atMs);
      // A mark that cannot be written only shortens the time after a restart.
      if (newsAtMs - persistedAtMs >= PERSIST_EVERY_MS) persist().catch(() => undefined);
    },
    trusted(atMs) {
      trustedAtMs = Math.max(trustedAtMs, atMs);
    },
    knownAs: (from) =>
      from === 'disk' || newsAtMs >= trustedAtMs ? { atMs: newsAtMs, onTrust: false } : { atMs: trustedAtMs, onTrust: true },
    async restore() {
      try {
        const kept = (JSON.parse(String(await files.read(file))) as { lastNewsAtMs?: unknown } | null)?.lastNewsAtMs;
        const agoMs = typeof kept === 'number' ? clock.nowMs() - kept : Number.NEGATIVE_INFINITY;
        if (agoMs >= -CLOCK_CORRECTION_MS) newsAtMs = Math.max(newsAtMs, clock.monotonicMs() - Math.max(0, agoMs));
      } catch {
        // None kept, or unreadable: as good as no news.
      }
    },
    persist,
    hasEnded: () => ended,
    async end() {
      ended = true;
      return write(0).then(
        () => true,
        () => false,
      );
    },
  };
}
