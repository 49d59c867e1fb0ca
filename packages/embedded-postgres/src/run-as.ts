import { spawnSync } from 'node:child_process';
import { chownSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
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
type User = { readonly name: string; readonly uid: number; readonly gid: number };

/**
 * As root, Postgres runs in a user namespace of its own, where root looks like an ordinary user and nothing has to change owner;
 * where the machine allows no user namespaces, as the user `postgres` or `nobody`. A user without a name, as containers have them,
 * gets one in the same way. `folder` exists and will hold the data; `binary` is what will be run.
 */
export function runAs(folder: string, binary: string): RunAs {
  const uid = process.getuid?.();
  if (uid === undefined || (uid !== 0 && hasName())) return AS_WE_ARE;
  const owner = statSync(folder);
  if (owner.uid !== uid) return asUser(owner);
  const user = findUser(['postgres', 'nobody']);
  if (user === null)
    throw new EmbeddedPostgresError(`${refusal(uid)} There is no user "postgres" or "nobody" to run it as either. ${ADVICE}`);
  const mapped = ['unshare', '--user', `--map-user=${user.uid}`, `--map-group=${user.gid}`, '--'];
  if (succeeds([...mapped, 'true'])) return { prefix: mapped, own: () => undefined };
  if (uid !== 0) throw new EmbeddedPostgresError(`${refusal(uid)} This machine allows no user namespaces. ${ADVICE}`);
  for (const needed of [dirname(folder), dirname(binary)]) {
    if (succeeds(['/bin/sh', '-c', 'cd "$1"', 'sh', needed], user)) continue;
    throw new EmbeddedPostgresError(
      `${refusal(uid)} This machine allows no user namespaces, and the user "${user.name}" may not enter ${needed}. ${ADVICE} Or let others enter that folder and those above it (chmod o+x).`,
    );
  }
  return asUser(user);
}

const ADVICE = 'Run Patchbay as an ordinary user.';

function refusal(uid: number): string {
  return uid === 0 ? 'Postgres refuses to run as root.' : `Postgres refuses to run as a user without a name (${uid}).`;
}

/** Elsewhere than on Linux every process has a user that is known by name. */
function hasName(): boolean {
  return process.platform !== 'linux' || succeeds(['id', '-un']);
}

function succeeds([command = '', ...args]: readonly string[], as: { uid?: number; gid?: number } = {}): boolean {
  const ids = as.uid === undefined || as.gid === undefined ? {} : { uid: as.uid, gid: as.gid };
  return spawnSync(command, args, { ...ids, stdio: 'ignore' }).status === 0;
}

function asUser({ uid, gid }: { uid: number; gid: number }): RunAs {
  return { prefix: [], uid, gid, own: (path) => chownSync(path, uid, gid) };
}

function findUser(names: readonly string[]): User | null {
  const rows = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  for (const name of names) {
    const row = rows.find(([candidate]) => candidate === name);
    if (row !== undefined) return { name, uid: Number(row[2]), gid: Number(row[3]) };
  }
  return null;
}
