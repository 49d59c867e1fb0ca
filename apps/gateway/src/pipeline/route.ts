import { type Refusal, refusal } from '@patchbay/errors';
import { aggregateTarget } from '../aggregate/aggregate-target.ts';
import { decidedBy } from '../aggregate/app-pages.ts';
import type { TaskIds } from '../aggregate/task-ids.ts';
import { isTaskMethod, taskTarget } from '../aggregate/task-target.ts';
import type { SeeCatalogues } from '../catalogues/see-catalogues.ts';
import { notDiscovered } from '../methods/list.ts';
import type { CompiledServer } from '../snapshot/compiled.ts';
import { edgeEra } from '../upstream/edge-era.ts';
import { foreignMethodOf, objectOf } from './call-object.ts';
import type { BuiltinMethod, CallContext, CallObject, Outcome, Step, Target } from './context.ts';

export type RouteDeps = { readonly seeCatalogues: SeeCatalogues; readonly taskIds: TaskIds };

/** Endpoint and name → a target of the closed set. Names are looked up whole, never split (architecture.md §3). */
export function makeRoute({ seeCatalogues, taskIds }: RouteDeps): Step {
  return function route(ctx: CallContext): Outcome | Promise<Outcome> {
    const target = seeCatalogues(ctx, () => targetOf(ctx, taskIds));
    return target instanceof Promise ? target.then((late) => settle(ctx, late)) : settle(ctx, target);
  };
}

function settle(ctx: CallContext, target: Target | Refusal): Outcome {
  if ('code' in target) return target;
  ctx.target = target;
  return undefined;
}

function targetOf(ctx: CallContext, taskIds: TaskIds): Target | Refusal {
  const { endpointServer, message } = ctx;
  if (message === null) return builtin(ctx.request.method === 'GET' ? 'stream' : 'session/delete', endpointServer);
  if (message.kind !== 'request') return builtin('notification', endpointServer);
  const own = ctx.era === 'modern' ? MODERN_BUILTINS[message.method] : LEGACY_BUILTINS[message.method];
  if (own !== undefined) return liveTarget(own, endpointServer) ?? builtin(own, endpointServer);
  const change = subscriptionChange(ctx);
  if (change !== null) return builtin(change, endpointServer);
  if (endpointServer === null) return isTaskMethod(ctx) ? taskTarget(ctx, taskIds) : aggregateTarget(ctx);
  if (endpointServer.catalogue === null) return refusal('upstream.unreachable', notDiscovered(endpointServer));
  if (isTaskMethod(ctx) && taskIds.areSealed(ctx, endpointServer)) return taskTarget(ctx, taskIds);
  return serverTarget(ctx, endpointServer);
}

/** The lists of a server that makes them for each session are that server's to answer, once it is known how to speak to it. */
function liveTarget(method: BuiltinMethod, server: CompiledServer | null): Target | null {
  const isLive = server !== null && server.catalogueMode === 'live' && server.catalogue !== null && Object.hasOwn(LISTS, method);
  return isLive ? { kind: 'upstream', server, object: { kind: 'server', name: server.slug }, upstreamName: null } : null;
}

/** Of a session that is ours; a session with a legacy server is the server's to change. */
function subscriptionChange({ endpointServer, era, message, session }: CallContext): BuiltinMethod | null {
  const method = message?.method;
  if (era !== 'legacy' || session === null || (method !== 'resources/subscribe' && method !== 'resources/unsubscribe')) return null;
  return endpointServer === null || edgeEra(endpointServer, session) === 'modern' ? method : null;
}

function builtin(method: BuiltinMethod, server: CompiledServer | null): Target {
  return { kind: 'builtin', method, server };
}

const LISTS = {
  'tools/list': 'tools/list',
  'prompts/list': 'prompts/list',
  'resources/list': 'resources/list',
  'resources/templates/list': 'resources/templates/list',
} as const;
const LEGACY_BUILTINS: Readonly<Record<string, BuiltinMethod>> = {
  __proto__: null,
  initialize: 'initialize',
  ping: 'ping',
  'logging/setLevel': 'logging/setLevel',
  ...LISTS,
} as never;
const MODERN_BUILTINS: Readonly<Record<string, BuiltinMethod>> = {
  __proto__: null,
  'server/discover': 'server/discover',
  'subscriptions/listen': 'subscriptions/listen',
  ...LISTS,
} as never;

function serverTarget(ctx: CallContext, server: CompiledServer): Target | Refusal {
  const foreign = foreignMethodOf(ctx, server);
  const object = foreign ?? objectOf(ctx);
  if ('code' in object) return object;
  // What a live server offers this caller, only the server knows.
  const isListed = server.catalogueMode === 'live' || lists(server, object);
  if (object.kind === 'tool' && !isListed) return refusal('tool.unknown');
  if (object.kind === 'prompt' && !isListed) return refusal('prompt.unknown');
  return { kind: 'upstream', server, object: decidedBy(ctx, server, object), upstreamName: null };
}

function lists({ catalogue }: CompiledServer, { kind, name }: CallObject): boolean {
  return (kind === 'tool' ? catalogue?.tools : catalogue?.prompts)?.has(name) === true;
}
