import type { PartHash } from '@patchbay/contracts';
import { contractKey, discover, encodeCataloguePart, type KnownNeeds, LIMITS, type Transport } from '@patchbay/discovery';
import { exchange } from '@patchbay/egress';
import type { CallContext } from '../pipeline/context.ts';
import { compilePart } from '../snapshot/compile-parts.ts';
import type { CompiledCatalogue, CompiledServer } from '../snapshot/compiled.ts';
import { introduced } from '../snapshot/introduced.ts';
import { type ReachDeps, reach } from '../upstream/reach.ts';
import type { Upstream } from '../upstream/upstreams.ts';
import type { FetchedCatalogue } from './credential-catalogues.ts';

export type FetchCatalogueDeps = ReachDeps & { readonly logger: { warn(fields: object, message: string): void } };

/** For whom: what `reach` takes of a call. */
export type Asking = Pick<CallContext, 'principal' | 'snapshot' | 'tokenHash'>;

/** Of no part: what is read here came from the server itself. */
const NO_HASH = '' as PartHash;

/**
 * Asks a server for all it offers with the caller's credential, by the same rules and within the same limits as discovery does. Null when
 * that could not be had, which is logged.
 */
export async function fetchCatalogue(deps: FetchCatalogueDeps, asking: Asking, server: CompiledServer): Promise<FetchedCatalogue | null> {
  const said = { organisationId: asking.principal?.organisationId, server: server.slug };
  try {
    const upstream = await reach(deps, asking, server);
    if ('code' in upstream) {
      deps.logger.warn({ ...said, code: upstream.code }, 'a server cannot be asked what it offers a credential');
      return null;
    }
    const legacyBy = server.catalogue?.era === 'legacy' ? 'lately' : null;
    const input = {
      transport: transportTo(upstream),
      requestMs: server.timeouts.requestMs,
      legacyBy,
      knownNeeds: () => needsOf(server),
    } as const;
    const bytes = encodeCataloguePart(server.id, await discover(input));
    const part = compilePart({ kind: 'catalogue', key: server.id, hash: NO_HASH, bytes: bytes.length }, bytes);
    return part.kind === 'catalogue' ? { catalogue: introduced(part.catalogue, server.slug), bytes: bytes.length } : null;
  } catch (error) {
    deps.logger.warn({ ...said, err: error }, 'a server does not say what it offers a credential');
    return null;
  }
}

/** What discovery found of what entries need of a client is so for every credential. */
async function needsOf({ catalogue }: CompiledServer): ReturnType<KnownNeeds> {
  const { prompts, resources, templates, tools } = catalogue ?? NOTHING;
  const entries = [tools, prompts, resources, templates].flatMap((each) => [...each.values()]);
  return new Map(entries.flatMap((entry) => (entry.needs.length === 0 ? [] : [[contractKey(entry), entry.needs]])));
}

const NOTHING: Pick<CompiledCatalogue, 'prompts' | 'resources' | 'templates' | 'tools'> = {
  prompts: new Map(),
  resources: new Map(),
  templates: new Map(),
  tools: new Map(),
};

/** With the credential, on the connections that calls go by. */
function transportTo({ headers: own, server, ways }: Upstream): Transport {
  const way = ways.to(null);
  const { url } = server;
  if (way === null || url === null) throw new TypeError('a server with a credential of its callers has an address');
  return ({ body, headers, method, signal, timeoutMs }) => {
    const sent = { method, headers: { ...own, ...headers }, ...(body === undefined ? {} : { body }), ...(signal && { signal }) };
    return exchange(way.pool, url, sent, { timeoutMs, maxBytes: LIMITS.answerBytes });
  };
}
