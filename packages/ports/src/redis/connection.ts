import { Redis } from 'ioredis';
import type { RedisTarget } from './redis-url.ts';
import type { Script } from './script.ts';

export type RedisConnectionOptions = {
  readonly target: RedisTarget;
  /** As `CLIENT LIST` shows it. */
  readonly name: string;
  /** A call without an answer rejects after this long. */
  readonly timeoutMs: number;
  /** Told of every lost connection and failed attempt to connect. */
  readonly onError?: ((error: unknown) => void) | undefined;
};

type Argument = string | number | Buffer;

const CONNECT_TIMEOUT_MS = 2_000;
const BACKOFF_MS_MIN = 50;
const BACKOFF_MS_MAX = 1_000;

/**
 * One connection that comes back by itself. Connects on first use. While Redis is away calls reject at once, except that the first ones
 * wait for the first attempt; no call is kept to be sent later, for its caller would not know.
 */
export class RedisConnection {
  readonly #options: RedisConnectionOptions;
  readonly #client: Redis;
  /** Why the last attempt to connect failed; null while connected, and until a first attempt has ended. */
  #failure: Error | null = null;
  #attempt: Promise<void> | null = null;
  #endAttempt: () => void = () => undefined;
  #isClosed = false;

  constructor(options: RedisConnectionOptions) {
    this.#options = options;
    this.#client = new Redis({ ...options.target, ...connectionSettings(options) });
    this.#client.on('error', (error: Error) => this.#failed(error));
    this.#client.on('sentinelError', (error: Error) => options.onError?.(withoutArguments(error)));
    this.#client.on('ready', () => {
      this.#failure = null;
      this.#attemptEnds();
    });
    this.#client.on('close', () => this.#lost());
    // Only where the client gave up by itself, as it does when sentinels cannot even be asked.
    this.#client.on('end', () => this.#connectAgain());
  }

  /** Runs one call on the connection; its error says what went wrong and repeats no argument. */
  async run<T>(call: (client: Redis) => Promise<T>): Promise<T> {
    if (this.#client.status !== 'ready') await this.#ready();
    try {
      return await call(this.#client);
    } catch (error) {
      throw withoutArguments(error);
    }
  }

  /** Runs a script on keys of one organisation. */
  async script(script: Script, keys: readonly string[], args: readonly Argument[]): Promise<unknown> {
    return this.run(async (client) => {
      try {
        return await client.call(script.isReading ? 'EVALSHA_RO' : 'EVALSHA', script.sha, keys.length, ...keys, ...args);
      } catch (error) {
        // Redis has lost it, or another Redis stands there now.
        if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
        return client.call(script.isReading ? 'EVAL_RO' : 'EVAL', script.lua, keys.length, ...keys, ...args);
      }
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#failure = new Error('the ports are closed');
    this.#client.disconnect();
    this.#attemptEnds();
  }

  async #ready(): Promise<void> {
    if (this.#failure === null) {
      if (this.#client.status === 'wait') this.#client.connect().catch(() => undefined);
      this.#attempt ??= new Promise((resolve) => (this.#endAttempt = resolve));
      await within(this.#options.timeoutMs, this.#attempt);
    }
    if (this.#client.status === 'ready') return;
    throw new Error(`Redis cannot be reached: ${this.#failure?.message ?? 'it does not answer'}`);
  }

  #failed(error: Error): void {
    const told = withoutArguments(error);
    if (this.#client.status !== 'ready') this.#failure = told;
    this.#attemptEnds();
    this.#options.onError?.(told);
  }

  #lost(): void {
    if (!this.#isClosed && this.#failure === null)
      this.#options.onError?.(new Error(`The connection ${this.#options.name} to Redis was lost.`));
  }

  #attemptEnds(): void {
    this.#endAttempt();
    this.#attempt = null;
  }

  #connectAgain(): void {
    if (this.#isClosed) return;
    const again = setTimeout(() => {
      if (!this.#isClosed) this.#client.connect().catch(() => undefined);
    }, BACKOFF_MS_MAX);
    again.unref();
  }
}

/** What keeps a Redis that is away from holding anybody up. */
export function connectionSettings({ name, timeoutMs }: { readonly name: string; readonly timeoutMs: number }): RedisTarget {
  return {
    connectionName: name,
    disableClientInfo: true,
    lazyConnect: true,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
    connectTimeout: CONNECT_TIMEOUT_MS,
    commandTimeout: timeoutMs,
    // A server or a link that hangs: the connection is given up and made anew.
    socketTimeout: timeoutMs * 2,
    sentinelCommandTimeout: CONNECT_TIMEOUT_MS,
    retryStrategy: backoffMs,
    sentinelRetryStrategy: backoffMs,
    // A master that has become a replica answers, but takes no writes.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  };
}

/** Half of it at random, so that a fleet does not come back at one moment. */
function backoffMs(attempt: number): number {
  return Math.min(BACKOFF_MS_MIN * 2 ** Math.min(attempt, 10), BACKOFF_MS_MAX) * (0.5 + Math.random() / 2);
}

/** The client's errors carry the command with all that was sent: sealed records, and the password of the handshake. */
export function withoutArguments(error: unknown): Error {
  const told = new Error(error instanceof Error ? error.message : String(error));
  if (error instanceof Error) told.name = error.name;
  return told;
}

async function within(ms: number, promise: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const elapsed = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
  await Promise.race([promise, elapsed]);
  clearTimeout(timer);
}
