import { createInternalFetch, createInternalPool } from '@patchbay/egress';
import type { SharedStore } from '@patchbay/ports';
import type { Keyring, Secret } from '@patchbay/vault';
import type { Clock } from '../../snapshot/log.ts';
import type { Stdio } from '../upstreams.ts';
import { makeEndOnHost } from './end-on-host.ts';
import { hostIdOf, type StdioHost, StdioHosts, type StdioHostsDeps } from './hosts.ts';
import { Placement, type PlacementCounters, type PlacementDeps } from './placement.ts';

export type MakeStdioDeps = {
  /** The configured list; at least one. */
  readonly urls: readonly URL[];
  readonly secret: Secret;
  /** By whom hosts are known over TLS; null: none is reached over it. */
  readonly ca: string | null;
  readonly store: SharedStore;
  readonly keyring: Keyring;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly counters: PlacementCounters;
  readonly logger: StdioHostsDeps['logger'];
  /** For tests: how often a host is probed, and a lease renewed. */
  readonly timing?: Pick<StdioHostsDeps, 'probeEveryMs'> & Pick<PlacementDeps, 'renewEveryMs'>;
};

export type RunningStdio = Stdio & { close(): Promise<void> };

const CONNECTIONS_MAX = { calls: 256, streams: 4_096 };
const PROBE = { timeoutMs: 2_000, connectTimeoutMs: 2_000, maxBytes: 1_024, connections: 1 };

/** The stdio hosts with their connections, beliefs and records. Dials nothing but the probes. */
export function makeStdio({ ca, clock, counters, keyring, logger, secret, store, timing = {}, urls }: MakeStdioDeps): RunningStdio {
  const all = urls.map((url) => hostAt(url, ca));
  // Connections of their own: a probe must not wait behind calls.
  const probes = new Map(urls.map((url) => [hostIdOf(url), createInternalFetch({ baseUrl: url, bearer: secret, ca, ...PROBE })]));
  const hosts = new StdioHosts({ hosts: all, probe: ({ id }) => answers(probes.get(id)), logger, ...timing });
  const endOn = makeEndOnHost(secret);
  const placement = new Placement({ hosts, store, keyring, clock, endOn, counters, logger, ...timing });
  return {
    hosts,
    placement,
    endOn,
    secret,
    async close() {
      hosts.close();
      await Promise.all(all.flatMap(({ pool, streams }) => [pool.destroy(), streams.destroy()]));
      await Promise.all([...probes.values()].map((probe) => probe.close()));
    },
  };
}

function hostAt(url: URL, ca: string | null): StdioHost {
  const pool = createInternalPool(url, { ca, connections: CONNECTIONS_MAX.calls });
  const streams = createInternalPool(url, { ca, connections: CONNECTIONS_MAX.streams });
  return { id: hostIdOf(url), name: url.href, basePath: url.pathname.replace(/\/$/, ''), pool, streams };
}

async function answers(probe: ReturnType<typeof createInternalFetch> | undefined): Promise<boolean> {
  try {
    const answer = await probe?.request('/readyz');
    answer?.discard();
    return answer?.status === 200;
  } catch {
    return false;
  }
}
