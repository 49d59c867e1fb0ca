import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../until.ts';

export const ROOT = join(import.meta.dirname, '../../..');

export type ProgramOptions = {
  readonly name: string;
  /** Path from the repository's root. */
  readonly script: string;
  readonly env: Readonly<Record<string, string>>;
  readonly readyUrl: string;
  readonly logFile: string;
  /** Told at once when it is gone, whyever. */
  readonly onExit: () => void;
};

const READY_TIMEOUT_MS = 180_000;

/** One program as an orchestrator runs it: started directly, restarted on demand, its output kept. */
export class Program {
  readonly name: string;
  readonly #options: ProgramOptions;
  #child: ChildProcess | null = null;
  #root = ROOT;
  #exited: Promise<number | null> = Promise.resolve(null);

  constructor(options: ProgramOptions) {
    this.name = options.name;
    this.#options = options;
  }

  get isRunning(): boolean {
    return this.#child !== null;
  }

  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error(`${this.name} does not run`);
    return this.#child.pid;
  }

  /**
   * Starts it and resolves when it says it is ready. Rejects when it ends before. `root`: the checkout whose build runs, from now on;
   * ours until another is named.
   */
  async start(root = this.#root): Promise<void> {
    this.#root = root;
    const { env, logFile, onExit, script } = this.#options;
    const child = spawn(process.execPath, ['--disable-sigusr1', join(root, script)], {
      cwd: root,
      env,
      // Its stdin closes when we are gone, and it ends then (PATCHBAY_EXIT_WITH_PARENT).
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#child = child;
    let tail = '';
    const keep = (chunk: Buffer): void => {
      appendFileSync(logFile, chunk);
      tail = `${tail}${chunk.toString()}`.slice(-4_096);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.stdin.on('error', () => undefined);
    this.#exited = new Promise((resolve) => {
      child.once('exit', (code) => {
        this.#child = null;
        onExit();
        resolve(code);
      });
    });
    const readiness = until(() => child.exitCode !== null || child.signalCode !== null || this.isReady(), {
      what: `${this.name} being ready`,
      timeoutMs: READY_TIMEOUT_MS,
    });
    await readiness.catch((error: unknown) => {
      throw new Error(`${String(error)}\n${tail}`);
    });
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`${this.name} ended before it was ready:\n${tail}`);
  }

  async isReady(): Promise<boolean> {
    return fetch(this.#options.readyUrl, { signal: AbortSignal.timeout(2_000) }).then(
      (answer) => answer.arrayBuffer().then(() => answer.ok),
      () => false,
    );
  }

  /** Sends a signal; `SIGKILL` and `SIGTERM` resolve with the exit code when it is gone. */
  async end(signal: 'SIGKILL' | 'SIGTERM' | 'SIGINT'): Promise<number | null> {
    this.#child?.kill(signal);
    return this.#exited;
  }

  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }
}
