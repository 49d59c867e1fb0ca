import pg from 'pg';

/** Servers are shared out by the last digit of their id. */
const SHARDS = 16;
/** Of advisory locks with two keys, that nothing else uses. */
const LOCK_SPACE = 7271;
const ANSWER_WITHIN_MS = 3_000;

export type ListenerLeasesOptions = { readonly databaseUrl: string; readonly onError: (error: Error) => void };

/**
 * Which shards of all servers are this control plane's to listen to. A shard is an advisory lock of one database connection, so that it is
 * free again the moment its holder is gone, by whatever clock. Two that hold one for a moment, cut off from each other, listen twice and
 * find the same.
 */
export class ListenerLeases {
  readonly #options: ListenerLeasesOptions;
  readonly #held = new Set<number>();
  #client: pg.Client | null = null;

  constructor(options: ListenerLeasesOptions) {
    this.#options = options;
  }

  /** Takes what is free and says what is ours. Nothing is, when the database does not answer: rejects then. */
  async renew(): Promise<ReadonlySet<number>> {
    try {
      const client = this.#client ?? (await this.#connect());
      const missing = Array.from({ length: SHARDS }, (_, shard) => shard).filter((shard) => !this.#held.has(shard));
      const { rows } = await client.query<{ shard: number }>(
        'select shard from unnest($2::integer[]) shard where pg_try_advisory_lock($1::integer, shard)',
        [LOCK_SPACE, missing],
      );
      if (this.#client !== client) throw new Error('the connection that holds the shards was lost');
      for (const { shard } of rows) this.#held.add(shard);
      return this.#held;
    } catch (error) {
      await this.release();
      throw error;
    }
  }

  /** Lets go of all. */
  async release(): Promise<void> {
    const client = this.#client;
    this.#client = null;
    this.#held.clear();
    await client?.end().catch(() => undefined);
  }

  async #connect(): Promise<pg.Client> {
    const client = new pg.Client({
      connectionString: this.#options.databaseUrl,
      application_name: 'patchbay control plane, listeners',
      connectionTimeoutMillis: ANSWER_WITHIN_MS,
      query_timeout: ANSWER_WITHIN_MS,
      keepAlive: true,
    });
    client.on('error', (error) => {
      this.#options.onError(error);
      if (this.#client !== client) return;
      this.#client = null;
      this.#held.clear();
    });
    await client.connect();
    this.#client = client;
    return client;
  }
}

/** The shard of a server. */
export function shardOf(serverId: string): number {
  return Number.parseInt(serverId.at(-1) ?? '0', SHARDS);
}
