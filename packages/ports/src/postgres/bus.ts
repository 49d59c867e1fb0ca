import pg from 'pg';
import type { Bus } from '../bus.ts';

type Listener = Parameters<Bus['subscribe']>[0];

export type PostgresBusOptions = {
  readonly connectionString: string;
  /** Sends; never used to listen. */
  readonly pool: pg.Pool;
  /** Told of every lost connection and of what a listener threw. */
  readonly onError?: ((error: unknown) => void) | undefined;
};

const CHANNEL = 'patchbay';
const MESSAGE_BYTES_MAX = 7_900;
const BACKOFF_MS_MIN = 100;
const BACKOFF_MS_MAX = 5_000;
const PROBE_EVERY_MS = 10_000;
const PROBE_TIMEOUT_MS = 5_000;

/** LISTEN and NOTIFY. Listening has a connection of its own, which comes back by itself. */
export class PostgresBus implements Bus {
  readonly #options: PostgresBusOptions;
  readonly #listeners = new Set<Listener>();
  #client: pg.Client | null = null;
  #firstAttempt: Promise<void> | null = null;
  #retry: NodeJS.Timeout | null = null;
  #probe: NodeJS.Timeout | null = null;
  #backoffMs = BACKOFF_MS_MIN;
  #isListening = false;
  #isClosed = false;

  constructor(options: PostgresBusOptions) {
    this.#options = options;
  }

  /** Rejects when Postgres is away (the message is lost) and on a message that is too long. */
  async publish(message: string): Promise<void> {
    if (Buffer.byteLength(message) > MESSAGE_BYTES_MAX) throw new RangeError(`A bus message has at most ${MESSAGE_BYTES_MAX} bytes.`);
    await this.#options.pool.query('select pg_notify($1, $2)', [CHANNEL, message]);
  }

  /** Resolves after the first attempt to connect, also when that failed: attempts go on, and `onGap` tells when one succeeded. */
  async subscribe(listener: Listener): Promise<{ close(): Promise<void> }> {
    this.#listeners.add(listener);
    if (this.#isListening) this.#tell(() => listener.onGap());
    this.#firstAttempt ??= this.#connect();
    await this.#firstAttempt;
    return {
      close: async () => {
        this.#listeners.delete(listener);
        if (this.#listeners.size === 0) await this.#disconnect();
      },
    };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#listeners.clear();
    await this.#disconnect();
  }

  async #connect(): Promise<void> {
    const client = new pg.Client({
      connectionString: this.#options.connectionString,
      application_name: 'patchbay-bus',
      keepAlive: true,
      connectionTimeoutMillis: PROBE_TIMEOUT_MS,
      query_timeout: PROBE_TIMEOUT_MS,
    });
    this.#client = client;
    client.on('error', (error) => this.#lost(client, error));
    client.on('end', () => this.#lost(client, new Error('The connection for LISTEN ended.')));
    client.on('notification', ({ payload }) => this.#deliver(payload ?? ''));
    try {
      await client.connect();
      await client.query(`listen ${CHANNEL}`);
    } catch (error) {
      this.#lost(client, error);
      return;
    }
    if (this.#client !== client) return;
    this.#isListening = true;
    this.#backoffMs = BACKOFF_MS_MIN;
    this.#probe = setInterval(() => {
      client.query('select 1').catch((error: unknown) => this.#lost(client, error));
    }, PROBE_EVERY_MS);
    this.#probe.unref();
    for (const listener of this.#listeners) this.#tell(() => listener.onGap());
  }

  #lost(client: pg.Client, error: unknown): void {
    if (this.#client !== client) return;
    this.#release();
    this.#options.onError?.(error);
    client.end().catch(() => undefined);
    if (this.#isClosed || this.#listeners.size === 0) return;
    // Half of it at random, so that a fleet does not come back at one moment.
    const waitMs = this.#backoffMs * (0.5 + Math.random() / 2);
    this.#backoffMs = Math.min(this.#backoffMs * 2, BACKOFF_MS_MAX);
    this.#retry = setTimeout(() => void this.#connect(), waitMs);
  }

  #release(): void {
    if (this.#probe !== null) clearInterval(this.#probe);
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#probe = null;
    this.#retry = null;
    this.#client = null;
    this.#isListening = false;
  }

  async #disconnect(): Promise<void> {
    const client = this.#client;
    this.#release();
    this.#firstAttempt = null;
    await client?.end().catch(() => undefined);
  }

  #deliver(message: string): void {
    for (const listener of this.#listeners) this.#tell(() => listener.onMessage(message));
  }

  /** What one listener throws reaches neither the connection nor the other listeners. */
  #tell(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#options.onError?.(error);
    }
  }
}
