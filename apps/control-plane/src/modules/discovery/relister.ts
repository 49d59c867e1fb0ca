import { setTimeout as sleep } from 'node:timers/promises';
import type { Discovery } from '../../ops/meters.ts';

/** How long it rests after a look: twice as long after each that finds nothing new, up to the most. */
export type Pace = { readonly leastMs: number; readonly mostMs: number };

export type RelisterDeps = {
  /** Asks the server for its lists. Must not throw. */
  readonly relist: () => Promise<Discovery>;
  readonly pace?: Pace;
  readonly random?: () => number;
};

const QUICK: Pace = { leastMs: 250, mostMs: 250 };
const LOOK_AGAIN_MS = 5_000;
const LOOKS_FAILED_MAX = 3;

/** Has one server's lists read again when they change: of a storm the first change at once, the last never lost, and never twice at once. */
export class Relister {
  readonly #deps: RelisterDeps;
  readonly #stop = new AbortController();
  #changed = false;
  #looks: Promise<void> | null = null;

  constructor(deps: RelisterDeps) {
    this.#deps = deps;
  }

  /** What comes next is looked at at once. */
  get isIdle(): boolean {
    return this.#looks === null;
  }

  changed(): void {
    this.#changed = true;
    this.#looks ??= this.#lookWhileChanged().finally(() => (this.#looks = null));
  }

  /** Resolves when nothing of it is under way. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#looks;
  }

  async #lookWhileChanged(): Promise<void> {
    const { pace = QUICK, relist } = this.#deps;
    let restMs = pace.leastMs;
    for (let failures = 0; this.#changed && !this.#stop.signal.aborted; ) {
      this.#changed = false;
      const startedAt = performance.now();
      const outcome = await relist();
      failures = outcome === 'failed' ? failures + 1 : 0;
      if (failures > 0 && failures < LOOKS_FAILED_MAX) this.#changed = true;
      restMs = outcome === 'changed' ? pace.leastMs : Math.min(restMs * 2, pace.mostMs);
      await this.#pause(outcome === 'failed' ? LOOK_AGAIN_MS : Math.max(0, startedAt + restMs - performance.now()));
    }
  }

  /** A little uneven, so that not all who lost one server come back at once. */
  async #pause(ms: number): Promise<void> {
    const { random = Math.random } = this.#deps;
    await sleep(ms * (0.75 + random() / 2), undefined, { signal: this.#stop.signal, ref: false }).catch(() => undefined);
  }
}
