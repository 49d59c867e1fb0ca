import { type Refusal, refusal } from '@patchbay/errors';
import { aggregateTarget } from '../aggregate/aggregate-target.ts';
import { notDiscovered } from '../methods/list.ts';
import type { CompiledServer } from '../snapshot/compiled.ts';
import { objectOf } from './call-object.ts';
import type { BuiltinMethod, CallContext, Outcome, Target } from './context.ts';

/** Endpoint and name → a target of the closed set. Names are looked up whole, never split (architecture.md §3). */
export function route(ctx: CallContext): Outcome {
  const target = targetOf(ctx);
  if ('code' in target) return target;
  ctx.target = target;
  return undefined;
}

function targetOf(ctx: CallContext): Target | Refusal {
  const { endpointServer, message } = ctx;
  if (message === null) return builtin(ctx.request.method === 'GET' ? 'stream' : 'session/delete', endpointServer);
  if (message.kind !== 'request') return builtin('notification', endpointServer);
  const own = ctx.era === 'modern' ? MODERN_BUILTINS[message.method] : LEGACY_BUILTINS[message.method];
  if (own !== undefined) return builtin(own, endpointServer);
  if (endpointServer === null) return aggregateTarget(ctx);
  if (endpointServer.catalogue === null) return refusal('upstream.unreachable', notDiscovered(endpointServer));
  return serverTarget(ctx, endpointServer);
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
  ...LISTS,
} as never;
const MODERN_BUILTINS: Readonly<Record<string, BuiltinMethod>> = {
  __proto__: null,
  'server/discover': 'server/discover',
  'subscriptions/listen': 'subscriptions/listen',
  ...LISTS,
} as never;

function serverTarget(ctx: CallContext, server: CompiledServer): Target | Refusal {
  const object = objectOf(ctx);
  if ('code' in object) return object;
  if (object.kind === 'tool' && server.catalogue?.tools.has(object.name) !== true) return refusal('tool.unknown');
  if (object.kind === 'prompt' && server.catalogue?.prompts.has(object.name) !== true) return refusal('prompt.unknown');
  return { kind: 'upstream', server, object, renamed: false };
}
