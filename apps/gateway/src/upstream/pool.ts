import type { EgressOpening, OrganisationId } from '@patchbay/contracts';
import { type AddressPolicy, createUpstreamPool } from '@patchbay/egress';
import type { Dispatcher } from 'undici';
import type { CompiledServer, CompiledSnapshot } from '../snapshot/compiled.ts';

export type PoolsDeps = {
  /** Addresses that no tenant's upstream may be: our own listeners and stores. */
  readonly refusedAddresses: AddressPolicy['refused'];
  readonly clock: { nowMs(): number };
};

/** Keep-alive connections to tenants' servers, one pool an organisation and origin. */
export type Pools = {
  /** The pool for a server under the rules of this snapshot; rules that changed mean new connections. */
  get(snapshot: CompiledSnapshot, server: CompiledServer, origin: string): Dispatcher;
  /** Lets calls in flight end, then closes everything. */
  close(): Promise<void>;
};

type Entry = {
  readonly pool: Dispatcher;
  readonly openings: readonly EgressOpening[];
  readonly openingsText: string;
  lastUsedAtMs: number;
};

const CONNECTIONS_MAX = 256;
/** Under the five seconds after which common servers close: a request on a connection that is being closed cannot be sent again. */
const KEEP_ALIVE_MS = 4_000;
const IDLE_MS = 5 * 60_000;
const SWEEP_MS = 60_000;

export function makePools({ refusedAddresses, clock }: PoolsDeps): Pools {
  const entries = new Map<string, Entry>();
  const sweep = setInterval(() => {
    for (const [key, entry] of entries) if (clock.nowMs() - entry.lastUsedAtMs > IDLE_MS) retire(key, entry);
  }, SWEEP_MS);
  sweep.unref();

  function retire(key: string, { pool }: Entry): void {
    entries.delete(key);
    // Ends when the calls on it have ended; nobody waits for it.
    pool.close().catch(() => undefined);
  }

  function open(key: string, openings: readonly EgressOpening[], connect: { origin: string; timeoutMs: number }): Entry {
    const pool = createUpstreamPool(connect.origin, {
      policy: () => ({ refused: refusedAddresses, openings }),
      connectTimeoutMs: connect.timeoutMs,
      connections: CONNECTIONS_MAX,
      keepAliveMs: KEEP_ALIVE_MS,
    });
    const entry = { pool, openings, openingsText: JSON.stringify(openings), lastUsedAtMs: clock.nowMs() };
    entries.set(key, entry);
    return entry;
  }

  return {
    get({ organisationId, egressOpenings }, { timeouts }, origin) {
      const key = poolKey(organisationId, origin, timeouts.connectMs);
      let entry = entries.get(key);
      // A new snapshot has a new array; only a new content closes connections that an old opening allowed.
      if (entry !== undefined && entry.openings !== egressOpenings && entry.openingsText !== JSON.stringify(egressOpenings)) {
        retire(key, entry);
        entry = undefined;
      }
      entry ??= open(key, egressOpenings, { origin, timeoutMs: timeouts.connectMs });
      entry.lastUsedAtMs = clock.nowMs();
      return entry.pool;
    },
    async close() {
      clearInterval(sweep);
      const pools = [...entries.values()].map(({ pool }) => pool);
      entries.clear();
      await Promise.all(pools.map((pool) => pool.close()));
    },
  };
}

/** No connection is shared by two organisations: what one was allowed to dial says nothing about the other. */
function poolKey(organisationId: OrganisationId, origin: string, connectMs: number): string {
  return `${organisationId} ${connectMs} ${origin}`;
}
