import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** A process for good: a pid alone can be given to another one later. */
export type ProcessIdentity = { readonly pid: number; readonly startedAt: string };

/** When a process started, as its system tells it; null when there is none (or only its corpse). */
function startOf(pid: number): string | null {
  if (process.platform === 'linux') {
    try {
      // The program's name stands in brackets and may hold anything; the fields count from behind it.
      const [state, ...fields] = readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ');
      return state === 'Z' ? null : (fields[18] ?? null);
    } catch {
      return null;
    }
  }
  if (process.platform === 'win32') return isThere(pid) ? 'unknown' : null;
  const { stdout } = spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], {
    encoding: 'utf8',
    env: { PATH: '/bin:/usr/bin', LC_ALL: 'C' },
  });
  return stdout.trim() === '' ? null : stdout.trim();
}

export function identityOf(pid: number): ProcessIdentity | null {
  const startedAt = startOf(pid);
  return startedAt === null ? null : { pid, startedAt };
}

export function isRunning({ pid, startedAt }: ProcessIdentity): boolean {
  return startOf(pid) === startedAt;
}

/** Reads what `identityOf` gave, out of a file that may hold anything. */
export function asIdentity(value: unknown): ProcessIdentity | null {
  if (typeof value !== 'object' || value === null || !('pid' in value) || !('startedAt' in value)) return null;
  const { pid, startedAt } = value;
  return Number.isSafeInteger(pid) && Number(pid) > 1 && typeof startedAt === 'string' ? { pid: Number(pid), startedAt } : null;
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
