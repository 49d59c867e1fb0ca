import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Binaries } from './binaries.ts';
import { EmbeddedPostgresError } from './error.ts';
import type { RunAs } from './run-as.ts';

/** The cluster's superuser. */
export const SUPERUSER = 'postgres';

/** Whether `dataDir` holds a finished cluster. */
export function isInitialized(dataDir: string): boolean {
  return existsSync(join(dataDir, 'PG_VERSION'));
}

/**
 * Makes a cluster in `dataDir` that asks for a password on every connection. Made beside and moved into place when complete,
 * so that a start which was killed meanwhile leaves nothing half-made in `dataDir`.
 */
export async function initialize(dataDir: string, superuserPassword: string, tools: { binaries: Binaries; as: RunAs }): Promise<void> {
  const { binaries, as } = tools;
  const fresh = `${dataDir}.new`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { mode: 0o700 });
  as.own(fresh);
  const passwordFile = join(fresh, 'password');
  const cluster = join(fresh, 'cluster');
  writeFileSync(passwordFile, superuserPassword, { mode: 0o600 });
  as.own(passwordFile);
  const args = ['-D', cluster, '-N', '-U', SUPERUSER, `--pwfile=${passwordFile}`, '-A', 'scram-sha-256', '-E', 'UTF8', '--locale=C'];
  try {
    await run([...as.prefix, binaries.initdb, ...args], as);
    rmSync(dataDir, { recursive: true, force: true });
    renameSync(cluster, dataDir);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

async function run([command = '', ...args]: readonly string[], as: RunAs): Promise<void> {
  const ids = as.uid === undefined || as.gid === undefined ? {} : { uid: as.uid, gid: as.gid };
  const child = spawn(command, args, { ...ids, stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' } });
  const output: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => output.push(chunk));
  const code = await new Promise<number | null>((done, failed) => child.once('error', failed).once('close', done));
  if (code !== 0) throw new EmbeddedPostgresError(`initdb failed (exit ${code}):\n${Buffer.concat(output).toString().trim()}`);
}
