import { setTimeout as sleep } from 'node:timers/promises';
import { EmbeddedPostgresError } from './error.ts';
import { isPostgresOf } from './running-server.ts';

const POLL_MS = 20;
const IMMEDIATE_MS = 2_000;
const KILL_MS = 5_000;

/** Ends a server: fast shutdown for `graceMs`, then immediate, then by force. Resolves when its process is gone. */
export async function end({ pid, dataDir, graceMs }: { pid: number; dataDir: string; graceMs: number }): Promise<void> {
  const steps: readonly (readonly [NodeJS.Signals, number])[] = [
    ['SIGINT', graceMs],
    ['SIGQUIT', IMMEDIATE_MS],
    ['SIGKILL', KILL_MS],
  ];
  for (const [signal, waitMs] of steps) {
    if (waitMs === 0) continue;
    if (!isPostgresOf(pid, dataDir)) return;
    signalTo(pid, signal);
    const deadline = performance.now() + waitMs;
    while (performance.now() < deadline) {
      if (!isPostgresOf(pid, dataDir)) return;
      await sleep(POLL_MS);
    }
  }
  throw new EmbeddedPostgresError(`Postgres (process ${pid}) could not be ended.`);
}

function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It is gone already, which is what was wanted.
  }
}
