import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { CompiledSnapshot } from '../snapshot/compiled.ts';
import { changedLists, type ChangingList, viewerKey } from './changed-lists.ts';
import type { OpenStream } from './client-streams.ts';

/** A storm of revisions is told as one change each fifth of a second; the first one at once. */
const ROUND_EVERY_MS = 200;

/** Tells the streams of one organisation, after a swap, which lists look different to their owners. Calls get their turn between owners. */
export class ListWatch {
  readonly #streams: ReadonlySet<OpenStream>;
  /** What was compared last; null between storms, so that no old snapshot is kept. */
  #told: CompiledSnapshot | null = null;
  #current: CompiledSnapshot | null = null;
  #isRunning = false;

  constructor(streams: ReadonlySet<OpenStream>) {
    this.#streams = streams;
  }

  swapped(before: CompiledSnapshot, after: CompiledSnapshot): void {
    this.#told ??= before;
    this.#current = after;
    if (!this.#isRunning) void this.#run();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    for (;;) {
      const [before, after] = [this.#told, this.#current];
      if (before === null || after === null || before === after) break;
      this.#told = after;
      const nextAt = performance.now() + ROUND_EVERY_MS;
      await this.#tell(before, after);
      await sleep(Math.max(0, nextAt - performance.now()), undefined, { ref: false });
    }
    this.#told = null;
    this.#current = null;
    this.#isRunning = false;
  }

  async #tell(before: CompiledSnapshot, after: CompiledSnapshot): Promise<void> {
    // A session is told on one of its streams alone, as its transport has it: the one opened last.
    const heard = new Map([...this.#streams].map((open) => [open.owner.session?.key ?? open, open]));
    const byViewer = Map.groupBy(heard.values(), ({ owner }) => viewerKey(owner, before, after));
    for (const [first, ...others] of byViewer.values()) {
      if (first === undefined) continue;
      await nextTurn();
      const lists: ReadonlySet<ChangingList> = changedLists(first.owner, before, after);
      if (lists.size > 0) for (const stream of [first, ...others]) stream.listsChanged(lists);
    }
  }
}
