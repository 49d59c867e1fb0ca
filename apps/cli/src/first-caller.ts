import { setTimeout as sleep } from 'node:timers/promises';
import { runOnce, type OneShot } from './one-shot.ts';

export type FirstCall = { readonly what: string; readonly text: string; readonly ms: number };

export type FirstCallQuestion = {
  readonly mcpUrl: string;
  readonly token: string;
  /** null: the tools are listed instead. */
  readonly tool: string | null;
};

/** How long to try again while there is no answer. */
const WITHIN_MS = 20_000;
const AGAIN_AFTER_MS = 250;

type Attempt = { readonly ask: (question: FirstCallQuestion) => void; readonly output: Promise<string> };

/** Makes one real call through the gateway, by an official client in a process of its own. */
export class FirstCaller {
  readonly #program: Omit<OneShot, 'input' | 'name'>;
  #prepared: Attempt | null;

  /** Starts the process at once: the client takes its time to load, and the gateway to start. */
  constructor(program: Omit<OneShot, 'input' | 'name'>) {
    this.#program = program;
    this.#prepared = this.#begin();
  }

  /** Rejects with the last attempt's StartFailure when none was answered in time. */
  async call(question: FirstCallQuestion): Promise<FirstCall> {
    const deadline = performance.now() + WITHIN_MS;
    for (;;) {
      const attempt = this.#prepared ?? this.#begin();
      this.#prepared = null;
      attempt.ask(question);
      try {
        const what = question.tool === null ? 'tools/list' : `tools/call ${question.tool}`;
        return { what, ...asResult(JSON.parse(await attempt.output)) };
      } catch (error) {
        this.#program.signal.throwIfAborted();
        if (performance.now() > deadline) throw error;
        await sleep(AGAIN_AFTER_MS);
      }
    }
  }

  #begin(): Attempt {
    const input = Promise.withResolvers<string>();
    const output = runOnce({ ...this.#program, name: 'first call', input: input.promise });
    // It may end before anybody asks.
    output.catch(() => undefined);
    return { ask: (question) => input.resolve(JSON.stringify(question)), output };
  }
}

function asResult(value: unknown): { text: string; ms: number } {
  if (typeof value === 'object' && value !== null && 'text' in value && 'ms' in value)
    return { text: String(value.text), ms: Number(value.ms) };
  throw new Error('the first call printed something else than its result');
}
