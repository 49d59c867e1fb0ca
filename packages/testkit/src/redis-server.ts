import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { guardAgainstOrphan } from './orphan-guard.ts';

export type TestRedisServerOptions = {
  /** Instead of a free one: a port that stays free while the server is down. */
  readonly port?: number;
  /** Writes an append-only file, so that a killed server can come back with its data. */
  readonly persistent?: boolean;
  /** More of redis.conf, each with its values: `{ 'cluster-enabled': ['yes'] }`. */
  readonly settings?: Readonly<Record<string, readonly string[]>>;
};

export type TestRedisServer = {
  /** As the user `default`, who may do everything, with a password of this run. */
  readonly url: string;
  readonly port: number;
  readonly password: string;
  /** Of the process that runs now; changes with `start`. */
  readonly pid: number;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** Starts it again on the same port after `kill`: with the data of its append-only file, or without any. */
  start(options?: { withoutData?: boolean }): Promise<void>;
  /** SIGSTOP: connections stand and nothing answers, until `resume`. */
  pause(): void;
  resume(): void;
  /** Ends the server and removes its files. */
  stop(): Promise<void>;
};

const STARTS_MAX = 5;
const READY = /Ready to accept connections/;

/** A real redis-server (from the PATH) of one's own: to kill, to pause, to configure. Loopback only, a free port, no file unless asked. */
export async function testRedisServer(options: TestRedisServerOptions = {}): Promise<TestRedisServer> {
  const home = mkdtempSync(join(tmpdir(), 'patchbay-test-redis-'));
  const password = randomBytes(12).toString('hex');
  const started = await startOnFreePort(home, password, options);
  const { port } = started;
  let { running } = started;
  return {
    port,
    password,
    url: `redis://:${password}@127.0.0.1:${port}/0`,
    get pid() {
      return running.pid;
    },
    kill: () => running.end('SIGKILL'),
    async start({ withoutData = false } = {}) {
      if (withoutData) rmSync(join(home, 'data'), { recursive: true, force: true });
      running = await launch(home, settingsOf(port, password, options));
    },
    pause: () => running.signal('SIGSTOP'),
    resume: () => running.signal('SIGCONT'),
    async stop() {
      await running.end('SIGKILL');
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** A port found free may be taken before the server has it. */
async function startOnFreePort(
  home: string,
  password: string,
  options: TestRedisServerOptions,
): Promise<{ port: number; running: Running }> {
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port ?? (await freePort());
    try {
      return { port, running: await launch(home, settingsOf(port, password, options)) };
    } catch (error) {
      if (attempt === STARTS_MAX || !/in use/.test(String(error))) throw error;
    }
  }
}

function settingsOf(port: number, password: string, { persistent = false, settings = {} }: TestRedisServerOptions): string[] {
  const all: Record<string, readonly string[]> = {
    bind: ['127.0.0.1'],
    port: [String(port)],
    requirepass: [password],
    masterauth: [password],
    save: [''],
    appendonly: [persistent ? 'yes' : 'no'],
    ...settings,
  };
  return Object.entries(all).flatMap(([name, values]) => [`--${name}`, ...values]);
}

type Running = { readonly pid: number; signal(name: NodeJS.Signals): void; end(signal: NodeJS.Signals): Promise<void> };

async function launch(home: string, args: readonly string[]): Promise<Running> {
  const dir = join(home, 'data');
  mkdirSync(dir, { recursive: true });
  const child = spawn('redis-server', [...args, '--dir', dir], { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()));
  await ready(child);
  const pid = child.pid ?? 0;
  const guard = guardAgainstOrphan(pid, home, 'KILL');
  return {
    pid,
    signal: (name) => void child.kill(name),
    async end(signal) {
      child.kill(signal);
      await exited;
      guard.end();
    },
  };
}

function ready(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let output = '';
    const hear = (chunk: Buffer): void => {
      output = `${output}${chunk.toString()}`.slice(-8_192);
      if (READY.test(output)) resolve();
    };
    child.stdout?.on('data', hear);
    child.stderr?.on('data', hear);
    child.once('error', (error) =>
      reject(new Error(`This test needs redis-server on the PATH (Debian: apt-get install redis-server): ${error.message}`)),
    );
    child.once('close', (code) => reject(new Error(`redis-server ended (${code}):\n${output}`)));
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
