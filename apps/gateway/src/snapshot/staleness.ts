import type { Files } from './files.ts';
import type { Clock } from './log.ts';

/**
 * How long this pod has been without news: a comparison with the control plane or with the stores, or a newer revision.
 * The moment is kept on disk, so that a restart does not renew the budget.
 */
export type Staleness = {
  exceeded(): boolean;
  lastNewsAtMs(): number;
  news(): void;
  restore(): Promise<void>;
  persist(): Promise<void>;
};

export type StalenessDeps = { readonly clock: Clock; readonly budgetMs: number; readonly files: Files; readonly file: string };

/** Every news is kept in memory; the disk learns of it this often. */
const PERSIST_EVERY_MS = 30_000;

export function makeStaleness({ clock, budgetMs, files, file }: StalenessDeps): Staleness {
  let lastNewsAtMs = 0;
  let persistedAtMs = 0;

  async function persist(): Promise<void> {
    if (lastNewsAtMs === persistedAtMs) return;
    persistedAtMs = lastNewsAtMs;
    await files.writeAtomically(file, JSON.stringify({ lastNewsAtMs }));
  }

  return {
    exceeded: () => clock.nowMs() - lastNewsAtMs > budgetMs,
    lastNewsAtMs: () => lastNewsAtMs,
    news() {
      lastNewsAtMs = clock.nowMs();
      // A mark that cannot be written only shortens the time after a restart.
      if (lastNewsAtMs - persistedAtMs >= PERSIST_EVERY_MS) persist().catch(() => undefined);
    },
    async restore() {
      try {
        const kept = (JSON.parse(String(await files.read(file))) as { lastNewsAtMs?: unknown } | null)?.lastNewsAtMs;
        if (typeof kept === 'number') lastNewsAtMs = Math.max(lastNewsAtMs, Math.min(kept, clock.nowMs()));
      } catch {
        // None kept, or unreadable: as good as no news.
      }
    },
    persist,
  };
}
