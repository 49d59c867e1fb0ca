import { decidedBy } from '../aggregate/app-pages.ts';
import { isPermitted } from '../aggregate/is-permitted.ts';
import { uriTarget } from '../aggregate/uri-target.ts';
import type { CallContext, CallObject } from '../pipeline/context.ts';
import type { CompiledServer } from '../snapshot/compiled.ts';
import type { ServerFilter } from './subscribe-to.ts';

/** What one server is asked for, for the sake of one stream. */
export type Plan = {
  readonly server: CompiledServer;
  readonly filter: ServerFilter;
  /** The client's own spelling of each URI that it asked for, by the server's. */
  readonly spelling: ReadonlyMap<string, string>;
  /** What grants decide on. */
  readonly objects: readonly CallObject[];
};

/** What a client asks for beside lists. `others`: members that no revision has, by extensions or to come. */
export type Wanted = { readonly resources: readonly string[]; readonly others: Readonly<Record<string, unknown>> };

type Owned = { readonly server: CompiledServer; readonly object: CallObject; readonly uri: string; readonly spelled: string };

/**
 * Shares out what is wanted among the servers of the endpoint. A URI that the caller may not read, or whose server takes no subscriptions,
 * is left out: what is not granted and what is not there look alike. Unknown members go to a modern server on its own endpoint.
 */
export function planSubscriptions(ctx: CallContext, { others, resources }: Wanted): readonly Plan[] {
  const owned = resources.flatMap((spelled) => ownerOf(ctx, spelled) ?? []);
  const plans: Plan[] = [...Map.groupBy(owned, ({ server }) => server)].map(([server, each]) => ({
    server,
    filter: { ...othersFor(ctx, server, others), resourceSubscriptions: each.map(({ uri }) => uri) },
    spelling: new Map(each.map(({ spelled, uri }) => [uri, spelled])),
    objects: each.map(({ object }) => object),
  }));
  const { endpointServer } = ctx;
  if (plans.length > 0 || endpointServer === null) return plans;
  const filter = othersFor(ctx, endpointServer, others);
  return Object.keys(filter).length === 0 ? [] : [{ server: endpointServer, filter, spelling: new Map(), objects: [] }];
}

/** Whether the server says that it takes subscriptions to resources. */
export function takesSubscriptions({ catalogue }: CompiledServer): boolean {
  const resources = catalogue?.capabilities['resources'];
  return typeof resources === 'object' && resources !== null && 'subscribe' in resources && resources.subscribe === true;
}

function othersFor({ endpointServer }: CallContext, server: CompiledServer, others: Wanted['others']): Wanted['others'] {
  return server === endpointServer && server.catalogue?.era === 'modern' ? others : {};
}

function ownerOf(ctx: CallContext, spelled: string): Owned | null {
  const { endpointServer, snapshot } = ctx;
  if (snapshot === null) return null;
  if (endpointServer !== null) {
    const object = decidedBy(ctx, endpointServer, { kind: 'resource', name: spelled });
    const isOffered = takesSubscriptions(endpointServer) && isPermitted(ctx, endpointServer, object);
    return isOffered ? { server: endpointServer, object, uri: spelled, spelled } : null;
  }
  const target = uriTarget(ctx, snapshot, { kind: 'resource', name: spelled });
  if ('code' in target || target.kind !== 'upstream') return null;
  const { object, server, upstreamName } = target;
  const isOffered = takesSubscriptions(server) && isPermitted(ctx, server, object);
  return isOffered ? { server, object, uri: upstreamName ?? spelled, spelled } : null;
}
