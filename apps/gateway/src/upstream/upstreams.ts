import { type OrganisationId, STDIO_HOST } from '@patchbay/contracts';
import { type Refusal, refusal } from '@patchbay/errors';
import type { Secret } from '@patchbay/vault';
import type { Dispatcher } from 'undici';
import type { CompiledServer, CompiledSnapshot } from '../snapshot/compiled.ts';
import type { Pools } from './pool.ts';

/** The stdio host of this installation and what it is presented. */
export type StdioHost = { readonly pool: Dispatcher; readonly basePath: string; readonly secret: Secret };

export type UpstreamsDeps = { readonly pools: Pools; readonly stdioHost: StdioHost | null };

/** One server as a call reaches it: where, and with what headers of its own. */
export type Upstream = {
  readonly organisationId: OrganisationId;
  readonly server: CompiledServer;
  readonly pool: Dispatcher;
  readonly path: string;
  /** The server's credential, or the stdio host's; lower-case names. Never what a client sent. */
  readonly headers: Readonly<Record<string, string>>;
};

/** Resolves a server of a snapshot to its connection. A refusal when this pod has no stdio host to reach it through. */
export type ResolveUpstream = (
  snapshot: CompiledSnapshot,
  server: CompiledServer,
  credential: Readonly<Record<string, string>> | null,
) => Upstream | Refusal;

const NO_HEADERS: Readonly<Record<string, string>> = {};

export function makeResolveUpstream({ pools, stdioHost }: UpstreamsDeps): ResolveUpstream {
  return function resolveUpstream(snapshot, server, credential) {
    const { organisationId } = snapshot;
    if (server.url !== null) {
      const { origin, path } = addressOf(server.url);
      return { organisationId, server, pool: pools.get(snapshot, server, origin), path, headers: credential ?? NO_HEADERS };
    }
    if (stdioHost === null)
      return refusal('upstream.unreachable', `Server "${server.slug}" is a stdio server and no stdio host is configured.`);
    const headers = { authorization: `Bearer ${stdioHost.secret.reveal()}`, [STDIO_HOST.generationHeader]: server.generation };
    return { organisationId, server, pool: stdioHost.pool, path: stdioHost.basePath + STDIO_HOST.path(organisationId, server.id), headers };
  };
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
