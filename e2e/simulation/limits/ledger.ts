import type { Life } from './limited-pod.ts';

/** One admitted call. `isSure`: on a permit of the store, for it waited for less than a call may, and its pod knew the store. */
export type Entry = { readonly atMs: number; readonly begunMs: number; readonly life: Life; readonly isSure: boolean };

/** What was admitted on one counter, oldest first, as far back as anybody asks. */
export class Ledger {
  readonly #entries: Entry[] = [];
  readonly #keptMs: number;
  /** Calls at work, by the process that admitted them. */
  readonly atWork = new Map<Life, number>();

  constructor(longestWindowMs: number) {
    this.#keptMs = 5 * longestWindowMs;
  }

  add(entry: Entry): void {
    this.#entries.push(entry);
    if (this.#entries.length % 256 !== 0) return;
    const from = this.#entries.findIndex(({ atMs }) => atMs > entry.atMs - this.#keptMs);
    if (from > 0) this.#entries.splice(0, from);
  }

  /** How many of them were admitted after that moment. */
  after(sinceMs: number, counts: (entry: Entry) => boolean): number {
    let sum = 0;
    for (let index = this.#entries.length - 1; index >= 0; index -= 1) {
      const entry = this.#entries[index] as Entry;
      if (entry.atMs <= sinceMs) break;
      if (counts(entry)) sum += 1;
    }
    return sum;
  }

  work(life: Life, change: 1 | -1): void {
    this.atWork.set(life, (this.atWork.get(life) ?? 0) + change);
  }
}
