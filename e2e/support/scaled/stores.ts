import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type RunningPostgres, startPostgres } from '@patchbay/embedded-postgres';

/** A Postgres to kill and pause. It waits for the disk at each commit, so that a kill loses nothing that was answered. */
export class PostgresServer {
  readonly #dataDir: string;
  readonly #port: number;
  readonly #password = randomBytes(12).toString('hex');
  #running: RunningPostgres | null = null;

  constructor(home: string, port: number) {
    this.#dataDir = join(home, 'postgres');
    this.#port = port;
  }

  async start(): Promise<void> {
    this.#running = await startPostgres({ dataDir: this.#dataDir, port: this.#port, superuserPassword: this.#password });
  }

  superuserUrl(database: string): string {
    if (this.#running === null) throw new Error('Postgres does not run');
    return this.#running.superuserUrl(database);
  }

  /** SIGKILL of the server and everything it forked. */
  async kill(): Promise<void> {
    const running = this.#running;
    if (running === null) return;
    this.#signal('SIGKILL');
    await running.exited;
    this.#running = null;
  }

  pause(): void {
    this.#signal('SIGSTOP');
  }

  resume(): void {
    this.#signal('SIGCONT');
  }

  async stop(): Promise<void> {
    await this.#running?.stop();
    this.#running = null;
  }

  /** Backends are in sessions of their own: they are found by their parent. */
  #signal(signal: NodeJS.Signals): void {
    if (this.#running === null) return;
    const { pid } = this.#running;
    for (const each of [pid, ...childrenOf(pid)]) {
      try {
        process.kill(each, signal);
      } catch {
        // A backend that ended meanwhile.
      }
    }
  }
}

function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && parentOf(pid) === parent);
}

function parentOf(pid: number): number {
  try {
    return Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
