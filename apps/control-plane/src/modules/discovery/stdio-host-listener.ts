import { setTimeout as sleep } from 'node:timers/promises';
import { StdioListChange } from '@patchbay/contracts';
import type { Answer } from '@patchbay/egress';
import { SseParser } from '@patchbay/mcp-wire';

export type StdioHostListenerDeps = {
  /** The host's stream of changes, from behind an event on. */
  readonly open: (lastEventId: string | null, signal: AbortSignal) => Promise<Answer>;
  readonly changed: (change: StdioListChange) => void;
  /** That the stream stands, or why it does not. */
  readonly heard: (isHeard: boolean, error: unknown) => void;
  readonly random?: () => number;
};

const BACK_AFTER_MS = 1_000;
const BACK_AFTER_MS_MAX = 60_000;
/** Hosts fill silence three times as often: one that says nothing at all is not there any more. */
const SILENT_MS_MAX = 45_000;

/** Hears which stdio servers on one host changed a list, for as long as it runs; after an interruption what it has missed. */
export class StdioHostListener {
  readonly #deps: StdioHostListenerDeps;
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;
  #lastEventId: string | null = null;

  constructor(deps: StdioHostListenerDeps) {
    this.#deps = deps;
    this.#ended = this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
  }

  async #run(): Promise<void> {
    const { heard, random = Math.random } = this.#deps;
    const { signal } = this.#stop;
    for (let failures = 0; !signal.aborted; failures += 1) {
      const { error, stood } = await this.#listenOnce();
      if (signal.aborted) return;
      heard(false, error);
      if (stood) failures = 0;
      const pauseMs = Math.min(BACK_AFTER_MS * 2 ** failures, BACK_AFTER_MS_MAX) * (0.75 + random() / 2);
      await sleep(pauseMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  /** Until the stream ends; `error`: what ended it, null where the host did. */
  async #listenOnce(): Promise<{ readonly error: unknown; readonly stood: boolean }> {
    const silent = new AbortController();
    const timer = setTimeout(() => silent.abort(new Error('the stdio host has fallen silent')), SILENT_MS_MAX);
    timer.unref();
    let stood = false;
    try {
      const answer = await this.#deps.open(this.#lastEventId, AbortSignal.any([this.#stop.signal, silent.signal]));
      if (answer.status !== 200) {
        answer.discard();
        throw new Error(`the stdio host answered HTTP ${answer.status}`);
      }
      stood = true;
      this.#deps.heard(true, null);
      const parser = new SseParser();
      for await (const chunk of answer.body) {
        timer.refresh();
        for (const { data, id } of parser.push(Buffer.from(chunk))) this.#take(data, id);
      }
      return { error: null, stood };
    } catch (error) {
      return { error, stood };
    } finally {
      clearTimeout(timer);
    }
  }

  #take(data: string, id: string | null): void {
    if (data !== '') this.#deps.changed(StdioListChange.parse(JSON.parse(data)));
    this.#lastEventId = id ?? this.#lastEventId;
  }
}
