import { setTimeout as sleep } from 'node:timers/promises';
import { type ListenedList, ListensToNobody } from './listen.ts';
import { Relister, type RelisterDeps } from './relister.ts';

export type ServerListenerDeps = {
  /** One stream: null once it is heard, then the lists that changed. */
  readonly open: (signal: AbortSignal) => AsyncIterable<ListenedList | null>;
  /** Asks the server for its lists. Must not throw. */
  readonly relist: RelisterDeps['relist'];
  /** That a stream stands, or that none could be opened. */
  readonly heard: (outcome: 'listening' | 'lost' | 'nobody', error: unknown) => void;
  readonly random?: () => number;
  readonly nowMs?: () => number;
};

const BACK_AFTER_MS = 1_000;
const BACK_AFTER_MS_MAX = 60_000;
/** A stream that ends sooner is as good as none: each has the lists read anew. */
const STOOD_MS_MIN = 15_000;
const NOBODY_FOR_MS = 15 * 60_000;

/**
 * Listens to one server for as long as it is wanted and has its lists read again when they change: after each change, and each time it
 * listens anew, for nobody told what changed meanwhile.
 */
export class ServerListener {
  readonly #deps: ServerListenerDeps;
  readonly #stop = new AbortController();
  readonly #ended: Promise<unknown>;
  readonly #relister: Relister;

  constructor(deps: ServerListenerDeps) {
    this.#deps = deps;
    this.#relister = new Relister(deps);
    this.#ended = this.#run();
  }

  /** Resolves when nothing of it is under way. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all([this.#ended, this.#relister.stop()]);
  }

  async #run(): Promise<void> {
    for (let failures = 0; !this.#isStopped; ) {
      const { error, stoodMs } = await this.#listenOnce();
      if (this.#isStopped) return;
      if (stoodMs >= STOOD_MS_MIN) failures = 0;
      const isNobody = error instanceof ListensToNobody;
      this.#deps.heard(isNobody ? 'nobody' : 'lost', error);
      await this.#pause(isNobody ? NOBODY_FOR_MS : Math.min(BACK_AFTER_MS * 2 ** failures, BACK_AFTER_MS_MAX));
      failures += 1;
    }
  }

  /** Until the stream ends; `error`: what ended it, null where the server did. */
  async #listenOnce(): Promise<{ readonly error: unknown; readonly stoodMs: number }> {
    const { heard, nowMs = () => performance.now(), open } = this.#deps;
    let stoodAtMs: number | null = null;
    const ended = (error: unknown) => ({ error, stoodMs: stoodAtMs === null ? 0 : nowMs() - stoodAtMs });
    try {
      for await (const list of open(this.#stop.signal)) {
        if (list === null) {
          stoodAtMs ??= nowMs();
          heard('listening', null);
        }
        this.#relister.changed();
      }
      return ended(null);
    } catch (error) {
      return ended(error);
    }
  }

  get #isStopped(): boolean {
    return this.#stop.signal.aborted;
  }

  /** A little uneven, so that not all who lost one server come back at once. */
  async #pause(ms: number): Promise<void> {
    const { random = Math.random } = this.#deps;
    await sleep(ms * (0.75 + random() / 2), undefined, { signal: this.#stop.signal, ref: false }).catch(() => undefined);
  }
}
