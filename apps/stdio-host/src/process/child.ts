import { type ChildProcess, spawn, type ChildProcessByStdio } from 'node:child_process';
import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import type { Hold } from '../limits/holds.ts';
import type { Command } from '../sandbox/confine.ts';
import type { Carrier, CarrierEvents } from './carrier.ts';
import { LineSplitter } from './line-splitter.ts';
import type { OrphanGuard } from './orphan-guard.ts';

const LINE_BYTES_MAX = 32 * 1024 * 1024;
const STDERR_LINE_BYTES_MAX = 1024 * 1024;
const UNREAD_INPUT_BYTES_MAX = 64 * 1024 * 1024;
const TERM_AFTER_MS = 2_000;
const KILL_AFTER_MS = 4_000;
/** Grandchildren may hold the pipes open; what the process itself wrote has long arrived by then. */
const DRAIN_MS = 200;

export type ChildOptions = {
  readonly command: Command;
  readonly cwd: string;
  /** Null where the kernel already ends the server with us. */
  readonly guard: OrphanGuard | null;
  readonly hold: Hold;
};

/** One running program and everything it started (its process group, or its PID namespace): each line of its stdout is a message. */
export class Child implements Carrier {
  readonly pid: number;
  readonly gone: Promise<void>;
  readonly #process: ChildProcessByStdio<Writable, Readable, Readable>;
  #isGone = false;
  #stopping = false;
  #why: string | null = null;
  #killed = false;

  /** Throws where this machine has no room for another. */
  constructor({ command, cwd, guard, hold }: ChildOptions, { onGone, onMessage, tail }: CarrierEvents) {
    const child = start(command, cwd, hold);
    this.#process = child;
    this.pid = child.pid ?? 0;
    if (this.pid !== 0) guard?.watch(this.pid);
    const held = hold(this.pid, (why) => this.#kill(why));
    const out = new LineSplitter(LINE_BYTES_MAX, onMessage);
    const err = new LineSplitter(STDERR_LINE_BYTES_MAX, (line) => tail.push(line));
    child.stdin.on('error', () => undefined); // The exit that follows says more.
    child.stdout.on('data', (chunk: Buffer) => {
      if (!out.push(chunk)) this.#kill(`a line of more than ${LINE_BYTES_MAX / 1024 / 1024} MiB on stdout`);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      if (!err.push(chunk)) err.flush();
    });
    this.gone = new Promise((resolve) => {
      const finish = (how: string) => {
        if (this.#isGone) return;
        this.#isGone = true;
        err.flush();
        this.#signal('SIGKILL'); // Whoever of the group is left.
        guard?.release(this.pid);
        onGone(this.#why ?? held.verdict() ?? how, this.#killed);
        held.release();
        resolve();
      };
      child.on('error', (error) => this.pid === 0 && finish(error.message));
      child.on('exit', (code, signal) => {
        const how = signal === null ? `it exited with code ${code}` : `it was ended by ${signal}`;
        child.on('close', () => finish(how));
        setTimeout(finish, DRAIN_MS, how);
      });
    });
  }

  send(line: Buffer | string): boolean {
    const { stdin } = this.#process;
    if (this.#isGone || this.#stopping || !stdin.writable || stdin.writableLength > UNREAD_INPUT_BYTES_MAX) return false;
    stdin.cork();
    stdin.write(line);
    stdin.write('\n');
    stdin.uncork();
    return true;
  }

  /** Asks it to end (stdin closes), then SIGTERM after 2 s, SIGKILL after 4 s. Resolves when it is gone. */
  async stop(): Promise<void> {
    if (this.#isGone) return;
    if (!this.#stopping) {
      this.#stopping = true;
      this.#process.stdin.end();
      const term = setTimeout(() => this.#signal('SIGTERM'), TERM_AFTER_MS);
      const kill = setTimeout(() => this.#kill(`not ending within ${KILL_AFTER_MS / 1_000} s`), KILL_AFTER_MS);
      void this.gone.then(() => {
        clearTimeout(term);
        clearTimeout(kill);
      });
    }
    await this.gone;
  }

  #kill(why: string): void {
    this.#why ??= `it was killed for ${why}`;
    this.#killed = true;
    this.#process.stdout.destroy();
    this.#signal('SIGKILL');
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.pid === 0) return;
    try {
      process.kill(process.platform === 'win32' ? this.pid : -this.pid, signal);
    } catch {
      // Nobody is left in the group.
    }
  }
}

function start({ args, env, file }: Command, cwd: string, hold: Hold): ChildProcessByStdio<Writable, Readable, Readable> {
  try {
    const child: ChildProcess = spawn(file, args, { cwd, env, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    // Said later, and to nobody: where no file can be opened any more there are no pipes either.
    child.on('error', () => undefined);
    if (child.stdin === undefined) throw Object.assign(new Error('no pipes'), { errno: -constants.errno.EMFILE });
    return child as ChildProcessByStdio<Writable, Readable, Readable>;
  } catch (error) {
    hold(0, () => undefined).release();
    throw error;
  }
}
