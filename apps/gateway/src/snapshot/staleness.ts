import type { Files } from './files.ts';
import type { Clock } from './log.ts';

/**
 * How long this pod has been without news: a comparison with the control plane or with the stores, or a newer revision. By the monotonic
 * clock while it runs. The moment is kept on disk by the wall clock, so that a restart does not renew the budget.
 */
export type Staleness = {
  exceeded(): boolean;
  /** By the wall clock as it is now; 0 when there never was any. */
  lastNewsAtMs(): number;
  /** `atMs`: when it was asked for, by the monotonic clock; now when left away. */
  news(atMs?: number): void;
  restore(): Promise<void>;
  persist(): Promise<void>;
};

export type StalenessDeps = { readonly clock: Clock; readonly budgetMs: number; readonly files: Files; readonly file: string };

/** Every news is kept in memory; the disk learns of it this often. */
const PERSIST_EVERY_MS = 30_000;
/** A mark of later than this is of a clock that was set back since: how old it is cannot be known. */
const CLOCK_CORRECTION_MS = 5_000;

export function makeStaleness({ clock, budgetMs, files, file }: StalenessDeps): Staleness {
  let newsAtMs: number | null = null;
  let persistedAtMs = Number.NEGATIVE_INFINITY;

  const lastNewsAtMs = (): number => (newsAtMs === null ? 0 : Math.round(clock.nowMs() - (clock.monotonicMs() - newsAtMs)));

  async function persist(): Promise<void> {
    if (newsAtMs === null || newsAtMs === persistedAtMs) return;
    persistedAtMs = newsAtMs;
    await files.writeAtomically(file, JSON.stringify({ lastNewsAtMs: lastNewsAtMs() }));
  }

  return {
    exceeded: () => newsAtMs === null || clock.monotonicMs() - newsAtMs > budgetMs,
    lastNewsAtMs,
    news(atMs = clock.monotonicMs()) {
      newsAtMs = Math.max(newsAtMs ?? Number.NEGATIVE_INFINITY, atMs);
      // A mark that cannot be written only shortens the time after a restart.
      if (newsAtMs - persistedAtMs >= PERSIST_EVERY_MS) persist().catch(() => undefined);
    },
    async restore() {
      try {
        const kept = (JSON.parse(String(await files.read(file))) as { lastNewsAtMs?: unknown } | null)?.lastNewsAtMs;
        const agoMs = typeof kept === 'number' ? clock.nowMs() - kept : Number.NEGATIVE_INFINITY;
        if (agoMs >= -CLOCK_CORRECTION_MS)
          newsAtMs = Math.max(newsAtMs ?? Number.NEGATIVE_INFINITY, clock.monotonicMs() - Math.max(0, agoMs));
      } catch {
        // None kept, or unreadable: as good as no news.
      }
    },
    persist,
  };
}
