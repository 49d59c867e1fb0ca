import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startPostgres, type RunningPostgres } from '../src/index.ts';

const superuserPassword = 'a password / with: every@thing?';
let home: string;
let dataDir: string;
let running: RunningPostgres | null;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'patchbay-pg-'));
  dataDir = join(home, 'postgres');
  running = null;
});

afterEach(async () => {
  await running?.stop();
  rmSync(home, { recursive: true, force: true });
});

async function start(): Promise<RunningPostgres> {
  running = await startPostgres({ dataDir, superuserPassword });
  return running;
}

async function ask(url: string, sql: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const { rows } = await client.query<unknown[]>({ text: sql, rowMode: 'array' });
    return rows[0]?.[0];
  } finally {
    await client.end();
  }
}

/** Processes whose current folder is the data folder: the postmaster and all its workers. */
function processesOf(folder: string): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => spawnSync('readlink', [`/proc/${pid}/cwd`], { encoding: 'utf8' }).stdout.trim() === folder).map(Number);
}

function alive(pid: number): boolean {
  return (
    spawnSync('ps', ['-o', 'state=', '-p', String(pid)], { encoding: 'utf8' })
      .stdout.trim()
      .replace(/^Z.*/, '') !== ''
  );
}

test('a cold start makes a cluster that listens on loopback alone, asks for a password and keeps commits safe', async () => {
  const server = await start();
  expect(server).toMatchObject({ adopted: false, created: true });
  const url = server.superuserUrl('postgres');
  expect(await ask(url, 'show listen_addresses')).toBe('127.0.0.1');
  expect(await ask(url, 'show fsync')).toBe('on');
  expect(await ask(url, 'show synchronous_commit')).toBe('on');
  expect(await ask(url, 'show server_encoding')).toBe('UTF8');
  await expect(ask(`postgres://postgres:wrong@127.0.0.1:${server.port}/postgres`, 'select 1')).rejects.toThrow(
    /password authentication failed/,
  );
  await expect(ask(`postgres://postgres@127.0.0.1:${server.port}/postgres`, 'select 1')).rejects.toThrow();
  expect(statSync(dataDir).mode & 0o077).toBe(0);
  expect(readdirSync(home).sort()).toEqual(['postgres', 'postgres.log']);
});

test('the password is in no command line', async () => {
  const server = await start();
  for (const pid of processesOf(dataDir)) expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).not.toContain('password');
  expect(server.pid).toBeGreaterThan(1);
});

test('stop leaves no process, and a later start finds the data on the same port', async () => {
  const first = await start();
  await ask(first.superuserUrl('postgres'), 'create table kept as select 42 as n');
  expect(processesOf(dataDir).length).toBeGreaterThan(0);
  await first.stop();
  expect(processesOf(dataDir)).toEqual([]);
  await first.exited;
  const second = await start();
  expect(second).toMatchObject({ adopted: false, created: false, port: first.port });
  expect(await ask(second.superuserUrl('postgres'), 'select n from kept')).toBe(42);
});

test('a server whose parent was killed is adopted, and can be stopped by who adopted it', async () => {
  const script = fileURLToPath(new URL('support/start-and-wait.ts', import.meta.url));
  const parent = spawn(
    process.execPath,
    ['--conditions=patchbay-source', '--disable-warning=ExperimentalWarning', script, dataDir, superuserPassword],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const left = JSON.parse(line.toString()) as { pid: number; port: number };
  parent.kill('SIGKILL');
  await once(parent, 'exit');
  expect(alive(left.pid)).toBe(true);
  const server = await start();
  expect(server).toMatchObject({ adopted: true, pid: left.pid, port: left.port });
  expect(await ask(server.superuserUrl('postgres'), 'select 1')).toBe(1);
  await server.stop();
  await server.exited;
  expect(processesOf(dataDir)).toEqual([]);
});

test('after kill -9 of Postgres the next start recovers what was committed', async () => {
  const first = await start();
  await ask(first.superuserUrl('postgres'), 'create table kept as select 7 as n');
  process.kill(first.pid, 'SIGKILL');
  await first.exited;
  const second = await start();
  expect(second.adopted).toBe(false);
  expect(await ask(second.superuserUrl('postgres'), 'select n from kept')).toBe(7);
});

test('a lock file whose pid now belongs to another program does not stop it, and that program is left alone', async () => {
  const first = await start();
  process.kill(first.pid, 'SIGKILL');
  await first.exited;
  const stranger = spawn('sleep', ['60'], { cwd: dataDir, stdio: 'ignore' });
  const lockFile = join(dataDir, 'postmaster.pid');
  const [, ...rest] = readFileSync(lockFile, 'utf8').split('\n');
  writeFileSync(lockFile, [String(stranger.pid), ...rest].join('\n'));
  const second = await start();
  expect(second.adopted).toBe(false);
  expect(await ask(second.superuserUrl('postgres'), 'select 1')).toBe(1);
  expect(alive(stranger.pid ?? 0)).toBe(true);
  stranger.kill();
});

test('a server that hangs is replaced', async () => {
  const first = await start();
  await ask(first.superuserUrl('postgres'), 'create table kept as select 3 as n');
  process.kill(first.pid, 'SIGSTOP');
  const second = await start();
  expect(second.adopted).toBe(false);
  expect(alive(first.pid)).toBe(false);
  expect(await ask(second.superuserUrl('postgres'), 'select n from kept')).toBe(3);
});

test('a remembered port that somebody else has taken meanwhile is replaced', async () => {
  const first = await start();
  await first.stop();
  const { createServer } = await import('node:net');
  const squatter = createServer().listen(first.port, '127.0.0.1');
  await once(squatter, 'listening');
  const second = await start();
  expect(second.port).not.toBe(first.port);
  squatter.close();
});

test('an unfinished cluster of a start that was killed is made anew', async () => {
  const { mkdirSync } = await import('node:fs');
  mkdirSync(`${dataDir}.new/cluster`, { recursive: true });
  writeFileSync(`${dataDir}.new/cluster/PG_VERSION`, '18\n');
  const server = await start();
  expect(await ask(server.superuserUrl('postgres'), 'select 1')).toBe(1);
});
