import type { EgressOpening, OrganisationId } from '@patchbay/contracts';
import { type AddressPolicy, createUpstreamPool } from '@patchbay/egress';
import type { Dispatcher, Pool } from 'undici';
import type { CompiledServer, CompiledSnapshot } from '../snapshot/compiled.ts';

export type PoolsDeps = {
  /** Addresses that no tenant's upstream may be: our own listeners and stores. */
  readonly refusedAddresses: AddressPolicy['refused'];
  readonly clock: { nowMs(): number };
};

/** What connections are for. Streams last for hours: on connections of their own they keep no call waiting. */
export type PoolUse = 'calls' | 'streams';

/** Keep-alive connections to tenants' servers, one pool an organisation, origin and use. */
export type Pools = {
  /** The pool for a server under these rules, those of a snapshot; rules that changed mean new connections, and end streams on the old ones. */
  get(
    rules: Pick<CompiledSnapshot, 'egressOpenings' | 'organisationId'>,
    server: Pick<CompiledServer, 'timeouts'>,
    origin: string,
    use?: PoolUse,
  ): Dispatcher;
  /** Ends streams, lets calls in flight end, then closes everything. */
  close(): Promise<void>;
};

type Entry = {
  readonly pool: Pool;
  readonly use: PoolUse;
  readonly openings: readonly EgressOpening[];
  readonly openingsText: string;
  lastUsedAtMs: number;
};

type Opening = { readonly origin: string; readonly timeoutMs: number; readonly use: PoolUse };

const CONNECTIONS_MAX: Record<PoolUse, number> = { calls: 256, streams: 4_096 };
/** Under the five seconds after which common servers close: a request on a connection that is being closed cannot be sent again. */
const KEEP_ALIVE_MS = 4_000;
const IDLE_MS = 5 * 60_000;
const SWEEP_MS = 60_000;

export function makePools({ refusedAddresses, clock }: PoolsDeps): Pools {
  const entries = new Map<string, Entry>();
  const sweep = setInterval(() => {
    for (const [key, entry] of entries)
      if (clock.nowMs() - entry.lastUsedAtMs > IDLE_MS && !carriesStreams(entry)) retire(key, entry, 'calls');
  }, SWEEP_MS);
  sweep.unref();

  /** What is under way on it ends by itself where nothing forbids it, and nobody waits for it. */
  function retire(key: string, { pool }: Entry, use: PoolUse): void {
    entries.delete(key);
    (use === 'streams' ? pool.destroy() : pool.close()).catch(() => undefined);
  }

  function open(key: string, openings: readonly EgressOpening[], { origin, timeoutMs, use }: Opening): Entry {
    const pool = createUpstreamPool(origin, {
      policy: () => ({ refused: refusedAddresses, openings }),
      connectTimeoutMs: timeoutMs,
      connections: CONNECTIONS_MAX[use],
      keepAliveMs: KEEP_ALIVE_MS,
    });
    const entry = { pool, use, openings, openingsText: JSON.stringify(openings), lastUsedAtMs: clock.nowMs() };
    entries.set(key, entry);
    return entry;
  }

  return {
    get({ organisationId, egressOpenings }, { timeouts }, origin, use = 'calls') {
      const key = `${poolKey(organisationId, origin, timeouts.connectMs)} ${use}`;
      let entry = entries.get(key);
      // A new snapshot has a new array; only a new content closes connections that an old opening allowed.
      if (entry !== undefined && entry.openings !== egressOpenings && entry.openingsText !== JSON.stringify(egressOpenings)) {
        retire(key, entry, use);
        entry = undefined;
      }
      entry ??= open(key, egressOpenings, { origin, timeoutMs: timeouts.connectMs, use });
      entry.lastUsedAtMs = clock.nowMs();
      return entry.pool;
    },
    async close() {
      clearInterval(sweep);
      const all = [...entries.values()];
      entries.clear();
      await Promise.all(all.map(({ pool, use }) => (use === 'streams' ? pool.destroy() : pool.close())));
    },
  };
}

/** Streams outlast their pool's last use, and must still be found when they may not be any more. */
function carriesStreams({ pool, use }: Entry): boolean {
  return use === 'streams' && pool.stats.running > 0;
}

/** No connection is shared by two organisations: what one was allowed to dial says nothing about the other. */
function poolKey(organisationId: OrganisationId, origin: string, connectMs: number): string {
  return `${organisationId} ${connectMs} ${origin}`;
}
