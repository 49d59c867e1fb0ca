import type { OrganisationId, UserId } from '@patchbay/contracts';
import { type Refusal, refusal } from '@patchbay/errors';
import type { Secret } from '@patchbay/vault';
import type { CompiledServer, CompiledSnapshot } from '../snapshot/compiled.ts';
import type { Dispatcher } from 'undici';
import type { EraDoubts } from './era-doubts.ts';
import type { Pools } from './pool.ts';
import { hostHeaders } from './stdio/end-on-host.ts';
import { StdioWays, type StdioWaysDeps } from './stdio/ways.ts';
import type { UnaskedLimits } from './unasked-limits.ts';
import { RemoteWay, type Ways } from './ways.ts';

/** The stdio hosts of this installation and what they are presented. */
export type Stdio = StdioWaysDeps & { readonly secret: Secret };

export type UpstreamsDeps = {
  readonly pools: Pools;
  readonly stdio: Stdio | null;
  readonly eras: EraDoubts;
  readonly unasked: UnaskedLimits;
};

/** One server as a call reaches it: by which ways, and with what headers of its own. */
export type Upstream = {
  readonly organisationId: OrganisationId;
  readonly organisationSlug: string;
  readonly server: CompiledServer;
  readonly ways: Ways;
  /** The server's credential, or the stdio host's; lower-case names. Never what a client sent. */
  readonly headers: Readonly<Record<string, string>>;
  /** For whoever sees it answer as one of the other era. */
  readonly eras: EraDoubts;
  /** For whoever reads what it says without being asked. */
  readonly unasked: UnaskedLimits;
};

/** For whom, and the server's credential for them. */
export type UpstreamCaller = { readonly userId: UserId; readonly credential: Readonly<Record<string, string>> | null };

/** Resolves a server of a snapshot to its connection. A refusal when this pod has no stdio host to reach it through. */
export type ResolveUpstream = (snapshot: CompiledSnapshot, server: CompiledServer, caller: UpstreamCaller) => Upstream | Refusal;

const NO_HEADERS: Readonly<Record<string, string>> = {};

export function makeResolveUpstream({ eras, pools, stdio, unasked }: UpstreamsDeps): ResolveUpstream {
  return function resolveUpstream(snapshot, server, { credential, userId }) {
    const { organisationId, organisationSlug } = snapshot;
    if (server.url !== null) {
      const { origin, path } = addressOf(server.url);
      const ways = new RemoteWay(pools.get(snapshot, server, origin), path, streamsUnder(pools, snapshot, server));
      return { organisationId, organisationSlug, server, ways, headers: credential ?? NO_HEADERS, eras, unasked };
    }
    if (stdio === null)
      return refusal('upstream.unreachable', `Server "${server.slug}" is a stdio server and no stdio host is configured.`);
    const principal = server.isolation === 'principal' ? userId : null;
    const ways = new StdioWays(stdio, { organisationId, server }, principal);
    const headers = hostHeaders(stdio.secret, server.generation, principal);
    return { organisationId, organisationSlug, server, ways, headers, eras, unasked };
  };
}

/** Whoever holds it holds nothing else of the snapshot: streams last for hours. */
function streamsUnder(
  pools: Pools,
  { egressOpenings, organisationId }: CompiledSnapshot,
  { timeouts, url }: CompiledServer,
): () => Dispatcher {
  return () => pools.get({ egressOpenings, organisationId }, { timeouts }, url?.origin ?? '', 'streams');
}

/** The same upstream for what lasts for hours: without the catalogue of the moment. */
export function lastingUpstream(upstream: Upstream): Upstream {
  return { ...upstream, server: { ...upstream.server, catalogue: null } };
}

type Address = { readonly origin: string; readonly path: string };

/** URL objects compute their parts anew each time; one lives as long as its snapshot. */
const addresses = new WeakMap<URL, Address>();

function addressOf(url: URL): Address {
  let address = addresses.get(url);
  if (address === undefined) {
    address = { origin: url.origin, path: url.pathname + url.search };
    addresses.set(url, address);
  }
  return address;
}
