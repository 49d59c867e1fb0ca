import { spawnSync } from 'node:child_process';
import { chownSync, readFileSync, statSync } from 'node:fs';
import { EmbeddedPostgresError } from './error.ts';

/** How to start a program of Postgres, which refuses to run as root. */
export type RunAs = {
  /** Put before the command line. */
  readonly prefix: readonly string[];
  readonly uid?: number;
  readonly gid?: number;
  /** Makes a file or folder the user's own, where that is another than ours. */
  own(path: string): void;
};

const AS_WE_ARE: RunAs = { prefix: [], own: () => undefined };
const MAPPED = ['unshare', '--user', '--map-user=1000', '--map-group=1000', '--'];

/**
 * As root, Postgres runs in a user namespace of its own, where root looks like an ordinary user and nothing has to change owner;
 * where the machine allows no user namespaces, as the user `postgres` or `nobody`. `folder` exists and will hold the data.
 */
export function runAs(folder: string): RunAs {
  if (process.getuid?.() !== 0) return AS_WE_ARE;
  const owner = statSync(folder);
  if (owner.uid !== 0) return asUser(owner.uid, owner.gid);
  if (spawnSync(MAPPED[0] ?? '', [...MAPPED.slice(1), 'true'], { stdio: 'ignore' }).status === 0)
    return { prefix: MAPPED, own: () => undefined };
  const user = findUser(['postgres', 'nobody']);
  if (user === null)
    throw new EmbeddedPostgresError(
      'Postgres refuses to run as root, and this machine has neither user namespaces nor a user "postgres" or "nobody". Run Patchbay as an ordinary user.',
    );
  const reach = spawnSync('/bin/sh', ['-c', 'cd "$1/.." && pwd', 'sh', folder], { uid: user.uid, gid: user.gid, stdio: 'ignore' });
  if (reach.status !== 0) {
    throw new EmbeddedPostgresError(
      `Postgres refuses to run as root, and the user "${user.name}" may not enter ${folder}. Run Patchbay as an ordinary user, or set PATCHBAY_HOME to a folder below one that everyone may enter, such as /var/lib/patchbay.`,
    );
  }
  return asUser(user.uid, user.gid);
}

function asUser(uid: number, gid: number): RunAs {
  return { prefix: [], uid, gid, own: (path) => chownSync(path, uid, gid) };
}

function findUser(names: readonly string[]): { name: string; uid: number; gid: number } | null {
  const rows = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  for (const name of names) {
    const row = rows.find(([candidate]) => candidate === name);
    if (row !== undefined) return { name, uid: Number(row[2]), gid: Number(row[3]) };
  }
  return null;
}
