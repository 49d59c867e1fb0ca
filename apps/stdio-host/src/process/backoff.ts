const FIRST_MS = 1_000;
const LONGEST_MS = 60_000;
const FORGIVEN_AFTER_MS = 300_000;

type Failures = { count: number; lastMs: number; retryAtMs: number };

/**
 * When a server that failed may be started again: 1 s, doubling up to 60 s. The first crash of a server that had been
 * serving costs no wait; five minutes without a failure forgive all.
 */
export class Backoff {
  readonly #failures = new Map<string, Failures>();

  startFailed(key: string, nowMs: number): void {
    const count = this.#countBefore(key, nowMs) + 1;
    this.#remember(key, nowMs, { count, delayMs: delayMs(count) });
  }

  crashed(key: string, nowMs: number): void {
    const before = this.#countBefore(key, nowMs);
    this.#remember(key, nowMs, { count: before + 1, delayMs: before === 0 ? 0 : delayMs(before) });
  }

  /** Whether a failure of it is not forgiven yet. */
  hasFailed(key: string, nowMs: number): boolean {
    return this.#countBefore(key, nowMs) > 0;
  }

  /** null when none is to be remembered. */
  failuresOf(key: string, nowMs: number): { readonly failures: number; readonly retryAtMs: number } | null {
    const failures = this.#failures.get(key);
    if (failures === undefined || !this.hasFailed(key, nowMs)) return null;
    return { failures: failures.count, retryAtMs: failures.retryAtMs };
  }

  /** 0 when it may be started now. */
  waitMs(key: string, nowMs: number): number {
    return Math.max(0, (this.#failures.get(key)?.retryAtMs ?? 0) - nowMs);
  }

  /** Drops what no longer matters, so that removed servers leave nothing behind. */
  sweep(nowMs: number): void {
    for (const [key, { lastMs }] of this.#failures) if (nowMs - lastMs > FORGIVEN_AFTER_MS) this.#failures.delete(key);
  }

  #countBefore(key: string, nowMs: number): number {
    const failures = this.#failures.get(key);
    return failures === undefined || nowMs - failures.lastMs > FORGIVEN_AFTER_MS ? 0 : failures.count;
  }

  #remember(key: string, nowMs: number, { count, delayMs }: { count: number; delayMs: number }): void {
    this.#failures.set(key, { count, lastMs: nowMs, retryAtMs: nowMs + delayMs });
  }
}

function delayMs(count: number): number {
  return Math.min(LONGEST_MS, FIRST_MS * 2 ** (count - 1));
}
