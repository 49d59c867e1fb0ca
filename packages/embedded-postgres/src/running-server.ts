import { spawnSync } from 'node:child_process';
import { readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';

/** What Postgres writes into its lock file. */
export type LockFile = { readonly pid: number; readonly port: number; readonly isReady: boolean };

export const LOCK_FILE = 'postmaster.pid';

/** The lock file of a data folder, or null when there is none (or it is not written to its end yet). */
export function readLockFile(dataDir: string): LockFile | null {
  let lines: string[];
  try {
    lines = readFileSync(join(dataDir, LOCK_FILE), 'utf8').split('\n');
  } catch {
    return null;
  }
  const pid = Number(lines[0]);
  if (!Number.isSafeInteger(pid) || pid <= 0) return null;
  return { pid, port: Number(lines[3] ?? 0), isReady: (lines[7] ?? '').trim() === 'ready' };
}

/** Whether `pid` is, right now, the Postgres that serves `dataDir`: a pid can have been given to another program since. */
export function isPostgresOf(pid: number, dataDir: string): boolean {
  if (process.platform === 'linux') {
    try {
      // The kernel marks the program of a running process whose file was replaced by an update.
      const program = basename(readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, ''));
      return program === 'postgres' && readlinkSync(`/proc/${pid}/cwd`) === realpathSync(dataDir);
    } catch {
      return false;
    }
  }
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  if (process.platform === 'win32') {
    const list = spawnSync('tasklist', ['/NH', '/FO', 'CSV', '/FI', `PID eq ${pid}`], { encoding: 'utf8' });
    return list.stdout.includes('postgres.exe');
  }
  const { stdout } = spawnSync('ps', ['-o', 'state=,command=', '-p', String(pid)], { encoding: 'utf8' });
  return !stdout.trimStart().startsWith('Z') && stdout.includes('postgres') && stdout.includes(dataDir);
}
