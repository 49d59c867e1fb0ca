import { randomBytes } from 'node:crypto';
import { linkSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readJson } from './private-file.ts';
import { asIdentity, identityOf, isRunning, type ProcessIdentity } from './process-identity.ts';
import { StartFailure } from './start-failure.ts';

export type Lock = {
  /** From now on a newcomer waits for our end instead of giving up. */
  markStopping(): void;
  release(): void;
};

const POLL_MS = 50;
const STOPPING_WAIT_MS = 30_000;

/** Makes us the one supervisor of this home. Throws a StartFailure with the pid of the one that runs already. */
export async function lockHome(runFolder: string): Promise<Lock> {
  const path = join(runFolder, 'supervisor.json');
  const self = identityOf(process.pid);
  if (self === null) throw new Error('we cannot see ourselves');
  const deadline = performance.now() + STOPPING_WAIT_MS;
  while (!place(path, self)) {
    const holder = holderOf(path);
    if (holder === null || !isRunning(holder)) removeDead(path);
    else if (isStopping(path) && performance.now() < deadline) await sleep(POLL_MS);
    else
      throw new StartFailure(
        `Patchbay already runs on this home: process ${holder.pid}. Stop it first, or set PATCHBAY_HOME to another folder.`,
      );
  }
  return {
    markStopping: () => replace(path, { ...self, stopping: true }),
    release: () => rmSync(path, { force: true }),
  };
}

function holderOf(path: string): ProcessIdentity | null {
  return asIdentity(readJson(path));
}

function isStopping(path: string): boolean {
  const content = readJson(path);
  return typeof content === 'object' && content !== null && 'stopping' in content;
}

/** A link is made completely or not at all, and never over another one. */
function place(path: string, self: ProcessIdentity): boolean {
  const own = besides(path);
  writeFileSync(own, JSON.stringify(self), { mode: 0o600 });
  try {
    linkSync(own, path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(own, { force: true });
  }
}

function replace(path: string, content: object): void {
  const own = besides(path);
  writeFileSync(own, JSON.stringify(content), { mode: 0o600 });
  renameSync(own, path);
}

/** Two newcomers may find the same dead lock: only what was moved away and is dead is thrown away. */
function removeDead(path: string): void {
  const away = besides(path);
  try {
    renameSync(path, away);
  } catch {
    return;
  }
  const moved = holderOf(away);
  if (moved !== null && isRunning(moved)) {
    try {
      linkSync(away, path);
    } catch {
      // A third one placed its own meanwhile; the second notices as it fails to get the ports.
    }
  }
  rmSync(away, { force: true });
}

function besides(path: string): string {
  return `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
}
