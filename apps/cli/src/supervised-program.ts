import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Backoff } from './backoff.ts';
import type { Environment } from './environments.ts';
import type { ProcessRecord } from './leftovers.ts';
import { rotate, sizeOf, tailOf } from './log-file.ts';
import { StartFailure } from './start-failure.ts';
import type { Terminal } from './terminal.ts';

export type ProgramOptions = {
  readonly name: string;
  readonly script: string;
  readonly environment: Environment;
  readonly nodeFlags: readonly string[];
  readonly logFile: string;
  /** Whether it answers now. */
  readonly isReady: () => Promise<boolean>;
};

export type ProgramDeps = { readonly terminal: Terminal; readonly record: ProcessRecord };

/** EX_CONFIG of sysexits.h: unusable settings, which another attempt does not change. */
const EXIT_CONFIG = 78;
const ATTEMPTS_BEFORE_READY = 3;
const POLL_MS = 20;
const STOP_GRACE_MS = 12_000;
const KILLED_WITHIN_MS = 5_000;

/** One of our programs, kept running until it is told to stop. */
export class SupervisedProgram {
  readonly name: string;
  /** Resolves when it was ready for the first time; rejects with a StartFailure when it cannot start. */
  readonly firstReady: Promise<void>;
  readonly #options: ProgramOptions;
  readonly #deps: ProgramDeps;
  readonly #backoff = new Backoff();
  readonly #settle: { done: () => void; failed: (error: Error) => void };
  #child: ChildProcess | null = null;
  #ended: Promise<void> = Promise.resolve();
  #wasReady = false;
  #failures = 0;
  #isStopping = false;
  #restart: NodeJS.Timeout | null = null;

  constructor(options: ProgramOptions, deps: ProgramDeps) {
    this.name = options.name;
    this.#options = options;
    this.#deps = deps;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.firstReady = promise;
    this.#settle = { done: resolve, failed: reject };
    // Whoever waits for it hears of it; nobody else has to.
    promise.catch(() => undefined);
  }

  start(): void {
    const { environment, logFile, nodeFlags, script } = this.#options;
    rotate(logFile);
    const logStart = sizeOf(logFile);
    const startedAt = performance.now();
    const log = openSync(logFile, 'a', 0o600);
    // A session of its own: Ctrl-C in the terminal is for us, who stop the programs in order.
    const child = spawn(process.execPath, ['--disable-sigusr1', ...nodeFlags, script], {
      env: environment,
      stdio: ['pipe', log, log],
      detached: true,
    });
    closeSync(log);
    child.stdin?.on('error', () => undefined);
    this.#child = child;
    if (child.pid !== undefined) this.#deps.record.started(this.name, child.pid);
    this.#ended = new Promise((done) => {
      const end = (how: string, code: number | null): void => {
        if (this.#child !== child) return;
        this.#child = null;
        this.#deps.record.ended(this.name);
        done();
        this.#onEnd({ how, code, ranMs: performance.now() - startedAt, logStart });
      };
      child.once('error', (error) => end(error.message, null));
      child.once('exit', (code, signal) => end(signal === null ? `exit ${code}` : `killed by ${signal}`, code));
    });
    void this.#watch(child, startedAt);
  }

  /** Ends it in order, or by force once `hurry` is aborted or it takes too long. Resolves when it is gone. */
  async stop(hurry: AbortSignal): Promise<void> {
    this.#isStopping = true;
    if (this.#restart !== null) clearTimeout(this.#restart);
    const child = this.#child;
    if (child === null) return;
    child.kill('SIGTERM');
    const impatience = AbortSignal.any([hurry, AbortSignal.timeout(STOP_GRACE_MS)]);
    const force = (): void => void child.kill('SIGKILL');
    if (impatience.aborted) force();
    impatience.addEventListener('abort', force, { once: true });
    await Promise.race([this.#ended, sleep(STOP_GRACE_MS + KILLED_WITHIN_MS, undefined, { ref: false })]);
    impatience.removeEventListener('abort', force);
  }

  #onEnd({ how, code, ranMs, logStart }: { how: string; code: number | null; ranMs: number; logStart: number }): void {
    if (this.#isStopping) return;
    if (!this.#wasReady) {
      this.#failures += 1;
      if (code === EXIT_CONFIG || this.#failures >= ATTEMPTS_BEFORE_READY) {
        return this.#settle.failed(
          new StartFailure(`The ${this.name} cannot start: ${how} (${this.#options.logFile}).`, tailOf(this.#options.logFile, logStart)),
        );
      }
    }
    const waitMs = this.#backoff.next(ranMs);
    this.#deps.terminal.line(`The ${this.name} ended (${how}); starting it again in ${waitMs / 1000} s.`);
    this.#restart = setTimeout(() => this.start(), waitMs);
  }

  async #watch(child: ChildProcess, startedAt: number): Promise<void> {
    while (this.#child === child && !this.#isStopping) {
      if (await this.#options.isReady().catch(() => false)) {
        if (this.#child !== child) return;
        if (this.#wasReady)
          this.#deps.terminal.line(`The ${this.name} is back (${((performance.now() - startedAt) / 1000).toFixed(1)} s).`);
        this.#wasReady = true;
        return this.#settle.done();
      }
      await sleep(POLL_MS);
    }
  }
}
