import { Redis } from 'ioredis';
import type { Bus, Topic } from '../bus.ts';
import { assertFits, BusListeners } from '../bus-listeners.ts';
import { connectionSettings, withoutArguments, type RedisConnection } from './connection.ts';
import { channel } from './keys.ts';
import type { RedisTarget } from './redis-url.ts';

type Listener = Parameters<Bus['subscribe']>[1];

export type RedisBusOptions = {
  readonly target: RedisTarget;
  /** Sends; never used to listen. */
  readonly connection: RedisConnection;
  /** Told of every lost connection and of what a listener threw. */
  readonly onError?: ((error: unknown) => void) | undefined;
};

const PROBE_EVERY_MS = 5_000;
const PROBE_TIMEOUT_MS = 3_000;

/** Redis pub/sub. Listening has a connection of its own, which comes back by itself. */
export class RedisBus implements Bus {
  readonly #options: RedisBusOptions;
  readonly #listeners: BusListeners;
  #client: Redis | null = null;
  #firstAttempt: Promise<void> | null = null;
  #probe: NodeJS.Timeout | null = null;
  #isListening = false;

  constructor(options: RedisBusOptions) {
    this.#options = options;
    this.#listeners = new BusListeners(options.onError);
  }

  /** Rejects when Redis is away (the message is lost) and on a message that is too long. */
  async publish(topic: Topic, message: string): Promise<void> {
    assertFits(message);
    await this.#options.connection.run((client) => client.publish(this.#channel(topic), message));
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
        if (this.#listeners.topics().length === 0) this.#disconnect();
      },
    };
  }

  isListening(): boolean {
    return this.#isListening;
  }

  async close(): Promise<void> {
    this.#listeners.clear();
    this.#disconnect();
  }

  /** A listener that comes while the connection stands. Its topic may be new to the connection. */
  async #join(topic: Topic, listener: Listener, isFirst: boolean): Promise<void> {
    const client = this.#client;
    try {
      if (isFirst) await client?.subscribe(this.#channel(topic));
      if (this.#client === client && this.#isListening) this.#listeners.gap(listener);
    } catch (error) {
      this.#giveUp(client, error);
    }
  }

  /** Resolves when the first attempt has ended, well or not. */
  #connect(): Promise<void> {
    const client = new Redis({
      ...this.#options.target,
      ...connectionSettings({ name: 'patchbay-bus', timeoutMs: PROBE_TIMEOUT_MS }),
    });
    this.#client = client;
    client.on('message', (from, message) => this.#deliver(from, message));
    client.on('close', () => this.#lost(client));
    this.#probe = setInterval(() => this.#ask(client), PROBE_EVERY_MS);
    this.#probe.unref();
    return new Promise((resolve) => {
      client.on('ready', () => void this.#listen(client).then(resolve));
      client.on('error', (error) => {
        this.#options.onError?.(withoutArguments(error));
        resolve();
      });
      client.connect().catch(() => resolve());
      // Given up for good where sentinels cannot even be asked; a subscriber never gives up.
      client.on('end', () => this.#again(client));
    });
  }

  async #listen(client: Redis): Promise<void> {
    try {
      const wanted = this.#listeners.topics().map((topic) => this.#channel(topic));
      if (wanted.length > 0) await client.subscribe(...wanted);
    } catch (error) {
      this.#giveUp(client, error);
      return;
    }
    if (this.#client !== client || client.status !== 'ready') return;
    this.#isListening = true;
    this.#listeners.gap();
  }

  /** A link that died without a word would leave us waiting for messages for ever. */
  #ask(client: Redis): void {
    if (client.status === 'ready') client.ping().catch((error: unknown) => this.#giveUp(client, error));
  }

  #giveUp(client: Redis | null, error: unknown): void {
    if (client === null || this.#client !== client) return;
    this.#options.onError?.(withoutArguments(error));
    this.#isListening = false;
    client.disconnect(true);
  }

  #lost(client: Redis): void {
    if (this.#client !== client) return;
    if (this.#isListening) this.#options.onError?.(new Error('The connection for messages of Redis ended.'));
    this.#isListening = false;
  }

  #again(client: Redis): void {
    if (this.#client !== client) return;
    this.#disconnect();
    this.#firstAttempt = this.#connect();
  }

  #disconnect(): void {
    const client = this.#client;
    if (this.#probe !== null) clearInterval(this.#probe);
    this.#probe = null;
    this.#client = null;
    this.#isListening = false;
    this.#firstAttempt = null;
    client?.disconnect();
  }

  #channel(topic: Topic): string {
    return channel(this.#options.target.db ?? 0, topic);
  }

  #deliver(from: string, message: string): void {
    const topic = this.#listeners.topics().find((each) => this.#channel(each) === from);
    if (topic !== undefined) this.#listeners.deliver(topic, message);
  }
}
