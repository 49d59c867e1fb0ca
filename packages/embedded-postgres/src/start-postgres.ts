import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { answers } from './answers.ts';
import { findBinaries, type Binaries } from './binaries.ts';
import { EmbeddedPostgresError } from './error.ts';
import { initialize, isInitialized, SUPERUSER } from './initialize.ts';
import { choosePort } from './port.ts';
import { isPostgresOf, LOCK_FILE, readLockFile } from './running-server.ts';
import { runAs, type RunAs } from './run-as.ts';
import { SETTINGS } from './settings.ts';
import { end } from './stop-postgres.ts';

export type StartOptions = {
  readonly dataDir: string;
  /** Where Postgres' own messages go; `{dataDir}.log` when left away. Appended to. */
  readonly logFile?: string;
  /** Set when the cluster is made; must be the same ever after. */
  readonly superuserPassword: string;
  /** Instead of the remembered or a random free one. */
  readonly port?: number;
  /** Settings beyond ours, for tests. */
  readonly settings?: Readonly<Record<string, string>>;
};

export type RunningPostgres = {
  readonly port: number;
  readonly pid: number;
  /** It was already running: somebody was killed before stopping it. */
  readonly adopted: boolean;
  /** The cluster was made by this start. */
  readonly created: boolean;
  superuserUrl(database: string): string;
  /** Resolves when the server is gone, for whatever reason. */
  readonly exited: Promise<void>;
  /** Fast shutdown: ends sessions, rolls back what is open, writes a checkpoint. Resolves when no process is left. */
  stop(): Promise<void>;
};

const START_TIMEOUT_MS = 60_000;
const ADOPT_TIMEOUT_MS = 5_000;
const STOP_GRACE_MS = 15_000;
const POLL_MS = 20;
const ATTEMPTS = 5;

/**
 * A real Postgres on loopback, ready for connections: the one that already serves `dataDir`, or a new one in a session of its own,
 * so that neither the terminal's Ctrl-C nor our own death ends it. Rejects with `EmbeddedPostgresError`.
 */
export async function startPostgres(given: StartOptions): Promise<RunningPostgres> {
  const options = { ...given, dataDir: resolve(given.dataDir) };
  const { dataDir } = options;
  mkdirSync(dirname(dataDir), { recursive: true, mode: 0o700 });
  const adopted = await adopt(options);
  if (adopted !== null) return handle(options, adopted, { adopted: true, created: false });
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const binaries = findBinaries();
  const as = runAs(dataDir, binaries.postgres);
  const created = !isInitialized(dataDir);
  if (created) await initialize(dataDir, options.superuserPassword, { binaries, as });
  let failure: unknown;
  for (let attempt = 1, avoid: number | null = null; attempt <= ATTEMPTS; attempt += 1) {
    const port: number = options.port ?? (await choosePort(dataDir, avoid));
    try {
      const started = await launch(options, port, { binaries, as });
      return handle(options, started, { adopted: false, created });
    } catch (error) {
      failure = error;
      if (!isPassing(error)) break;
      avoid = port;
      await sleep(100 * attempt);
    }
  }
  throw failure;
}

/** Somebody took the port meanwhile, or workers of a killed server are still about to notice. */
function isPassing(error: unknown): boolean {
  return error instanceof Error && /Address already in use|shared memory block|lock file .* already exists/.test(error.message);
}

type Started = { readonly pid: number; readonly port: number; readonly child: ChildProcess | null };

/** The server that already runs on this data folder, if it is one and answers. One that does not answer is ended. */
async function adopt({ dataDir, superuserPassword }: StartOptions): Promise<Started | null> {
  const found = readLockFile(dataDir);
  if (found === null) return null;
  const startedAt = performance.now();
  while (isPostgresOf(found.pid, dataDir)) {
    const lock = readLockFile(dataDir);
    if (lock?.pid === found.pid && lock.isReady) {
      const verdict = await answers({ port: lock.port, password: superuserPassword });
      if (verdict === 'yes') return { pid: lock.pid, port: lock.port, child: null };
      if (verdict === 'wrong password')
        throw new EmbeddedPostgresError(
          `The Postgres that runs on ${dataDir} (process ${lock.pid}) has another password than ours: its keys folder was replaced. Put the old keys back.`,
        );
    }
    // One that says it is ready but does not answer hangs; one that is not ready may be recovering from a crash.
    const patienceMs = lock?.isReady === true ? ADOPT_TIMEOUT_MS : START_TIMEOUT_MS;
    if (performance.now() - startedAt > patienceMs) await end({ pid: found.pid, dataDir, graceMs: 0 });
    else await sleep(POLL_MS);
  }
  // Postgres takes any living process of that number for a server of its own and refuses to start.
  const left = readLockFile(dataDir);
  if (left !== null && !isPostgresOf(left.pid, dataDir)) rmSync(join(dataDir, LOCK_FILE), { force: true });
  return null;
}

async function launch(options: StartOptions, port: number, tools: { binaries: Binaries; as: RunAs }): Promise<Started> {
  const { dataDir, superuserPassword, logFile = `${dataDir}.log` } = options;
  const { as, binaries } = tools;
  const settings = Object.entries({ ...SETTINGS, ...options.settings, port: String(port) });
  const [command = '', ...args] = [
    ...as.prefix,
    binaries.postgres,
    '-D',
    dataDir,
    ...settings.flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ];
  const ids = as.uid === undefined || as.gid === undefined ? {} : { uid: as.uid, gid: as.gid };
  mkdirSync(dirname(logFile), { recursive: true, mode: 0o700 });
  const logStart = existsSync(logFile) ? readFileSync(logFile).length : 0;
  const log = openSync(logFile, 'a', 0o600);
  const child = spawn(command, args, { ...ids, detached: true, stdio: ['ignore', log, log], env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' } });
  closeSync(log);
  child.unref();
  let failed: Error | null = null;
  child.once('error', (error) => (failed = error));
  const deadline = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    if (failed !== null || child.exitCode !== null || child.signalCode !== null) {
      const said = readFileSync(logFile).subarray(logStart).toString().trim().split('\n').slice(-8).join('\n');
      throw new EmbeddedPostgresError(`Postgres did not start (${logFile}):\n${said}`, failed);
    }
    const lock = readLockFile(dataDir);
    if (lock?.isReady === true && lock.pid === child.pid && (await answers({ port, password: superuserPassword })) === 'yes') {
      return { pid: lock.pid, port, child };
    }
    if (performance.now() > deadline) {
      await end({ pid: child.pid ?? 0, dataDir, graceMs: 0 });
      throw new EmbeddedPostgresError(`Postgres did not become ready within ${START_TIMEOUT_MS / 1000} s: see ${logFile}`);
    }
    await sleep(POLL_MS);
  }
}

function handle(options: StartOptions, started: Started, how: { adopted: boolean; created: boolean }): RunningPostgres {
  const { pid, port, child } = started;
  const { dataDir, superuserPassword } = options;
  const { promise: exited, resolve: gone } = Promise.withResolvers<void>();
  if (child === null) watch(pid, dataDir, gone);
  else child.once('exit', () => gone());
  return {
    port,
    pid,
    ...how,
    superuserUrl: (database) =>
      `postgres://${SUPERUSER}:${encodeURIComponent(superuserPassword)}@127.0.0.1:${port}/${encodeURIComponent(database)}`,
    exited,
    async stop() {
      await end({ pid, dataDir, graceMs: STOP_GRACE_MS });
      // Nothing may be left that would tell: neither the child nor the watch keeps the event loop alive.
      gone();
    },
  };
}

/** An adopted server is not our child: its end is found by looking. */
function watch(pid: number, dataDir: string, gone: () => void): void {
  const timer = setInterval(() => {
    if (isPostgresOf(pid, dataDir)) return;
    clearInterval(timer);
    gone();
  }, 250);
  timer.unref();
}
