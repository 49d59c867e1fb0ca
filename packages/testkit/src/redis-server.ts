import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, launchRedis, type RunningRedis } from './redis-process.ts';

export type TestRedisServerOptions = {
  /** Instead of a free one: a port that stays free while the server is down. */
  readonly port?: number;
  /** Instead of one of this run: the master's, for its replica. */
  readonly password?: string;
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

/** A real redis-server (from the PATH) of one's own: to kill, to pause, to configure. Loopback only, a free port, no file unless asked. */
export async function testRedisServer(options: TestRedisServerOptions = {}): Promise<TestRedisServer> {
  const home = mkdtempSync(join(tmpdir(), 'patchbay-test-redis-'));
  const password = options.password ?? randomBytes(12).toString('hex');
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
      running = await launchRedis(home, settingsOf(port, password, options));
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
): Promise<{ port: number; running: RunningRedis }> {
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port ?? (await freePort());
    try {
      return { port, running: await launchRedis(home, settingsOf(port, password, options)) };
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
