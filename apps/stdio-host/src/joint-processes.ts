import type { Refusal } from '@patchbay/errors';
import type { ServerProcess } from './process/server-process.ts';

/** A process that answered `initialize`, and what. */
export type Started = { readonly process: ServerProcess; readonly result: Buffer };

/** Processes that several sessions use, each under the name that makes it the same one for all of them. */
export class JointProcesses {
  readonly #starts = new Map<string, Promise<Started | Refusal>>();

  /** The one that runs, else a new one: whoever comes first starts it, the others wait for the same. */
  async join(name: string, start: () => Promise<Started | Refusal>): Promise<Started | Refusal> {
    const earlier = this.#starts.get(name);
    // What it failed of was said to whoever began it.
    const known = await earlier?.catch(() => undefined);
    if (known !== undefined && !('code' in known) && known.process.takesSessions) return known;
    // Another may have started it while we waited.
    if (this.#starts.get(name) === earlier) this.#starts.set(name, start());
    const starting = this.#starts.get(name) ?? start();
    let started: Started | Refusal | null = null;
    try {
      return (started = await starting);
    } finally {
      if ((started === null || 'code' in started) && this.#starts.get(name) === starting) this.#starts.delete(name);
    }
  }

  /** To be called when a process is gone. */
  forget(running: ServerProcess): void {
    for (const [name, starting] of this.#starts) {
      void starting
        .catch(() => null)
        .then((started) => {
          if (started === null || 'code' in started || started.process !== running) return;
          if (this.#starts.get(name) === starting) this.#starts.delete(name);
        });
    }
  }
}
