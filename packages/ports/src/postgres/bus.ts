import pg from 'pg';
import type { Bus, Topic } from '../bus.ts';
import { assertFits, BusListeners } from '../bus-listeners.ts';

type Listener = Parameters<Bus['subscribe']>[1];

export type PostgresBusOptions = {
  readonly connectionString: string;
  /** Sends; never used to listen. */
  readonly pool: pg.Pool;
  /** Told of every lost connection and of what a listener threw. */
  readonly onError?: ((error: unknown) => void) | undefined;
};

const CHANNELS: Readonly<Record<Topic, string>> = {
  revisions: 'patchbay',
  pods: 'patchbay_pods',
  sessions: 'patchbay_sessions',
  mailboxes: 'patchbay_mailboxes',
};
const BACKOFF_MS_MIN = 100;
const BACKOFF_MS_MAX = 5_000;
const PROBE_EVERY_MS = 10_000;
const PROBE_TIMEOUT_MS = 5_000;

/** LISTEN and NOTIFY. Listening has a connection of its own, which comes back by itself. */
export class PostgresBus implements Bus {
  readonly #options: PostgresBusOptions;
  readonly #listeners: BusListeners;
  #client: pg.Client | null = null;
  #firstAttempt: Promise<void> | null = null;
  #retry: NodeJS.Timeout | null = null;
  #probe: NodeJS.Timeout | null = null;
  #backoffMs = BACKOFF_MS_MIN;
  #isListening = false;
  #isClosed = false;

  constructor(options: PostgresBusOptions) {
    this.#options = options;
    this.#listeners = new BusListeners(options.onError);
  }

  /** Rejects when Postgres is away (the message is lost) and on a message that is too long. */
  async publish(topic: Topic, message: string): Promise<void> {
    assertFits(message);
    await this.#options.pool.query('select pg_notify($1, $2)', [CHANNELS[topic], message]);
  }

  /** Resolves after the first attempt to connect, also when that failed: attempts go on, and `onGap` tells when one succeeded. */
  async subscribe(topic: Topic, listener: Listener): Promise<{ close(): Promise<void> }> {
    const isFirst = !this.#listeners.has(topic);
    this.#listeners.add(topic, listener);
    if (this.#isListening) await this.#join(topic, listener, isFirst);
    this.#firstAttempt ??= this.#connect();
    await this.#firstAttempt;
    return {
      close: async () => {
        this.#listeners.remove(topic, listener);
        if (this.#listeners.topics().length === 0) await this.#disconnect();
      },
    };
  }

  /** A listener that comes while the connection stands. Its topic may be new to the connection. */
  async #join(topic: Topic, listener: Listener, isFirst: boolean): Promise<void> {
    const client = this.#client;
    try {
      if (isFirst) await client?.query(`listen ${CHANNELS[topic]}`);
      if (this.#client === client) this.#listeners.gap(listener);
    } catch (error) {
      if (client !== null) this.#lost(client, error);
    }
  }

  isListening(): boolean {
    return this.#isListening;
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
    client.on('notification', ({ channel, payload }) => this.#deliver(channel, payload ?? ''));
    try {
      await client.connect();
      for (const topic of this.#listeners.topics()) await client.query(`listen ${CHANNELS[topic]}`);
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
    this.#listeners.gap();
  }

  #lost(client: pg.Client, error: unknown): void {
    if (this.#client !== client) return;
    this.#release();
    this.#options.onError?.(error);
    client.end().catch(() => undefined);
    if (this.#isClosed || this.#listeners.topics().length === 0) return;
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

  #deliver(channel: string, message: string): void {
    const topic = this.#listeners.topics().find((each) => CHANNELS[each] === channel);
    if (topic !== undefined) this.#listeners.deliver(topic, message);
  }
}
