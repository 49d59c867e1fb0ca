import type { ServerId } from '@patchbay/contracts';
import type { Refusal } from '@patchbay/errors';
import { LRUCache } from 'lru-cache';
import { isPermitted } from '../aggregate/is-permitted.ts';
import { within } from '../directory/within.ts';
import type { CallContext, Target } from '../pipeline/context.ts';
import type { CompiledCatalogue, CompiledServer, CompiledSnapshot } from '../snapshot/compiled.ts';
import { withCatalogues } from '../snapshot/with-catalogues.ts';
import type { CredentialCatalogues } from './credential-catalogues.ts';
import type { Asking, fetchCatalogue } from './fetch-catalogue.ts';
import { FRESH_MS } from './freshness.ts';

export type SeeCataloguesDeps = {
  readonly catalogues: CredentialCatalogues;
  readonly fetch: (asking: Asking, server: CompiledServer) => ReturnType<typeof fetchCatalogue>;
};

/** Finds a call's target in the tables of what its caller's credentials are offered; at once while nothing has to be asked for it. */
export type SeeCatalogues = (ctx: CallContext, find: () => Target | Refusal) => Target | Refusal | Promise<Target | Refusal>;

/** At the aggregated endpoint one server is not to hold up the others: whose lists are not known, and whose are. */
const UNKNOWN_WAIT_MS = 2_000;
const KNOWN_WAIT_MS = 500;
const VIEWS_MAX = 64;

const LISTS: ReadonlySet<string> = new Set(['tools/list', 'prompts/list', 'resources/list', 'resources/templates/list']);
/** What is said of an endpoint as such. */
const OF_ENDPOINTS: ReadonlySet<string> = new Set(['initialize', 'ping', 'server/discover', 'subscriptions/listen', 'logging/setLevel']);
const UNKNOWN: ReadonlySet<string> = new Set(['tool.unknown', 'prompt.unknown', 'resource.unknown', 'completion.unknown']);
const NONE: readonly CompiledServer[] = [];

type Wanted = { readonly servers: readonly CompiledServer[]; readonly maxAgeMs: number; readonly waitMs: number };

/**
 * A server in mode `per-credential` is asked with the caller's credential on first need; what it said then is the table that names of this
 * caller are looked up in, and lists are made from. Until it has answered, the reference is.
 */
export function makeSeeCatalogues({ catalogues, fetch }: SeeCataloguesDeps): SeeCatalogues {
  const look = makeLook(catalogues);
  return function see(ctx, find) {
    const { snapshot } = ctx;
    const servers = snapshot === null ? NONE : serversAskedByCredential(ctx, snapshot);
    if (snapshot === null || servers.length === 0) return find();
    look(ctx, snapshot, servers);
    const target = find();
    const wanted = wantedFor(ctx, target, servers);
    if (wanted === null) return target;
    const { organisationId } = snapshot;
    const asking: Asking = { principal: ctx.principal, snapshot, tokenHash: ctx.tokenHash };
    const asked = wanted.servers.map((server) =>
      catalogues.ensure(organisationId, server, { maxAgeMs: wanted.maxAgeMs, fetch: () => fetch(asking, server) }),
    );
    return within(Promise.all(asked), wanted.waitMs, null).then(() => {
      look(ctx, snapshot, servers);
      return find();
    });
  };

  /** null: what is at hand will do. */
  function wantedFor(ctx: CallContext, target: Target | Refusal, servers: readonly CompiledServer[]): Wanted | null {
    const organisationId = ctx.snapshot?.organisationId;
    if (organisationId === undefined) return null;
    const unknown = servers.filter((server) => catalogues.known(organisationId, server) === undefined);
    const waitMs = ctx.endpointServer?.timeouts.requestMs ?? (unknown.length > 0 ? UNKNOWN_WAIT_MS : KNOWN_WAIT_MS);
    if (LISTS.has(ctx.message?.method ?? '')) {
      const old = servers.filter((server) => !catalogues.isRecent(organisationId, server, FRESH_MS));
      return old.length === 0 ? null : { servers: old, maxAgeMs: FRESH_MS, waitMs };
    }
    // Another pod may have listed it since.
    if ('code' in target) return UNKNOWN.has(target.code) ? { servers, maxAgeMs: 0, waitMs: Math.max(waitMs, UNKNOWN_WAIT_MS) } : null;
    const first = target.kind === 'upstream' ? unknown.filter(({ id }) => id === target.server.id) : NONE;
    return first.length === 0 ? null : { servers: first, maxAgeMs: FRESH_MS, waitMs: target.server?.timeouts.requestMs ?? waitMs };
  }
}

/** Puts into the call what its caller's credentials are known to be offered. */
function makeLook(catalogues: CredentialCatalogues) {
  const views = new WeakMap<CompiledSnapshot, LRUCache<string, CompiledSnapshot>>();
  const numbers = new WeakMap<CompiledCatalogue, number>();
  let last = 0;
  const numberOf = (catalogue: CompiledCatalogue): number => {
    const number = numbers.get(catalogue) ?? (last += 1);
    numbers.set(catalogue, number);
    return number;
  };
  return function look(ctx: CallContext, snapshot: CompiledSnapshot, servers: readonly CompiledServer[]): void {
    const known = new Map<ServerId, CompiledCatalogue>();
    for (const server of servers) {
      const catalogue = catalogues.known(snapshot.organisationId, server);
      if (catalogue !== undefined) known.set(server.id, catalogue);
    }
    if (known.size === 0) return;
    const ofSnapshot = views.get(snapshot) ?? new LRUCache<string, CompiledSnapshot>({ max: VIEWS_MAX });
    views.set(snapshot, ofSnapshot);
    const key = [...known.values()].map(numberOf).join();
    const view = ofSnapshot.get(key) ?? withCatalogues(snapshot, known);
    ofSnapshot.set(key, view);
    ctx.snapshot = view;
    if (ctx.endpointServer !== null) ctx.endpointServer = view.serversById.get(ctx.endpointServer.id) ?? ctx.endpointServer;
  };
}

const askedByCredential = new WeakMap<CompiledSnapshot, readonly CompiledServer[]>();

/** Of this endpoint, those that the caller may use; none where the message has nothing to do with lists. */
function serversAskedByCredential(ctx: CallContext, snapshot: CompiledSnapshot): readonly CompiledServer[] {
  let all = askedByCredential.get(snapshot);
  if (all === undefined) {
    all = [...snapshot.serversById.values()].filter(
      ({ catalogue, catalogueMode }) => catalogueMode === 'per-credential' && catalogue !== null,
    );
    askedByCredential.set(snapshot, all);
  }
  const { endpointServer, message } = ctx;
  if (all.length === 0 || message === null || message.kind !== 'request' || OF_ENDPOINTS.has(message.method)) return NONE;
  if (endpointServer !== null) return all.filter(({ id }) => id === endpointServer.id);
  return all.filter((server) => isPermitted(ctx, server, { kind: 'server', name: server.slug }));
}
