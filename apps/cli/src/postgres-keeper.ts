import { setTimeout as sleep } from 'node:timers/promises';
import { startPostgres, type RunningPostgres } from '@patchbay/embedded-postgres';
import { Backoff } from './backoff.ts';
import { rotate } from './log-file.ts';
import type { Terminal } from './terminal.ts';

export type KeeperOptions = { readonly dataDir: string; readonly logFile: string; readonly superuserPassword: string };

/** The embedded Postgres, kept running on one port until it is told to stop. */
export class PostgresKeeper {
  readonly #options: KeeperOptions;
  readonly #terminal: Terminal;
  readonly #backoff = new Backoff();
  #running: RunningPostgres | null = null;
  #restarting: Promise<void> = Promise.resolve();
  #isStopping = false;

  constructor(options: KeeperOptions, terminal: Terminal) {
    this.#options = options;
    this.#terminal = terminal;
  }

  /** Starts it, or adopts the one that a killed predecessor left. Rejects with an EmbeddedPostgresError. */
  async start(): Promise<RunningPostgres> {
    rotate(this.#options.logFile);
    const running = await startPostgres(this.#options);
    this.#keep(running, performance.now());
    return running;
  }

  /** Ends it by a fast shutdown: what is committed is on disk. Resolves when no process of it is left. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#restarting;
    await this.#running?.stop();
    this.#running = null;
  }

  #keep(running: RunningPostgres, startedAt: number): void {
    this.#running = running;
    void running.exited.then(() => {
      if (this.#isStopping || this.#running !== running) return;
      this.#running = null;
      this.#restarting = this.#restart(running.port, performance.now() - startedAt);
    });
  }

  /** On the port it had: that is where all programs look for it. */
  async #restart(port: number, ranMs: number): Promise<void> {
    this.#terminal.line('Postgres ended; starting it again.');
    for (let ran = ranMs; !this.#isStopping; ran = 0) {
      await sleep(this.#backoff.next(ran));
      if (this.#isStopping) return;
      const startedAt = performance.now();
      try {
        this.#keep(await startPostgres({ ...this.#options, port }), startedAt);
        this.#terminal.line(`Postgres is back (${((performance.now() - startedAt) / 1000).toFixed(1)} s).`);
        return;
      } catch (error) {
        this.#terminal.foreign(error instanceof Error ? error.message : String(error));
      }
    }
  }
}
