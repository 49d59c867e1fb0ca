import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readJson, writePrivately } from './private-file.ts';
import { asIdentity, identityOf, isRunning, type ProcessIdentity } from './process-identity.ts';

/** Children notice by themselves that we are gone; this long they may take for it, then this long for an order to stop. */
const BY_THEMSELVES_MS = 3_000;
const ON_ORDER_MS = 5_000;
const POLL_MS = 25;

/** The processes we have started, on disk: who comes after our sudden end finds there what is left. */
export class ProcessRecord {
  readonly #path: string;
  readonly #running = new Map<string, ProcessIdentity>();

  constructor(runFolder: string) {
    this.#path = join(runFolder, 'processes.json');
  }

  started(name: string, pid: number): void {
    const identity = identityOf(pid);
    if (identity === null) return;
    this.#running.set(name, identity);
    this.#write();
  }

  ended(name: string): void {
    if (this.#running.delete(name)) this.#write();
  }

  /** Ends what a predecessor left running. Resolves with how many there were. */
  async clean(): Promise<number> {
    const content = readJson(this.#path);
    const left = (Array.isArray(content) ? content.map(asIdentity) : []).filter((each) => each !== null).filter(isRunning);
    if (await areGone(left, BY_THEMSELVES_MS)) return left.length;
    signal(left, 'SIGTERM');
    if (await areGone(left, ON_ORDER_MS)) return left.length;
    signal(left, 'SIGKILL');
    await areGone(left, ON_ORDER_MS);
    return left.length;
  }

  #write(): void {
    writePrivately(this.#path, JSON.stringify([...this.#running].map(([name, identity]) => ({ name, ...identity }))));
  }
}

async function areGone(left: readonly ProcessIdentity[], withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  while (left.some(isRunning)) {
    if (performance.now() > deadline) return false;
    await sleep(POLL_MS);
  }
  return true;
}

function signal(left: readonly ProcessIdentity[], name: NodeJS.Signals): void {
  for (const each of left.filter(isRunning)) {
    try {
      process.kill(each.pid, name);
    } catch {
      // It went between the look and the signal.
    }
  }
}
