import { type Refusal, refusal } from '@patchbay/errors';
import { decide } from '@patchbay/policy';
import { notDiscovered } from '../methods/list.ts';
import type { CompiledServer, ExposedEntry } from '../snapshot/compiled.ts';
import type { BuiltinMethod, CallContext, CallObject, Outcome, Target } from './context.ts';

/** Endpoint and name → a target of the closed set. Names are looked up whole, never split (architecture.md §3). */
export function route(ctx: CallContext): Outcome {
  const target = targetOf(ctx);
  if ('code' in target) return target;
  ctx.target = target;
  return undefined;
}

function targetOf(ctx: CallContext): Target | Refusal {
  const { endpointServer, message } = ctx;
  if (message === null) return builtin('session/delete', endpointServer);
  if (message.kind !== 'request') return builtin('notification', endpointServer);
  const own = ctx.era === 'modern' ? MODERN_BUILTINS[message.method] : LEGACY_BUILTINS[message.method];
  if (own !== undefined)
    return endpointServer === null && own.startsWith('resources/') ? methodUnknown(message.method) : builtin(own, endpointServer);
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
  ...LISTS,
} as never;

function serverTarget(ctx: CallContext, server: CompiledServer): Target | Refusal {
  const object = objectOf(ctx);
  if ('code' in object) return object;
  if (object.kind === 'tool' && server.catalogue?.tools.has(object.name) !== true) return refusal('tool.unknown');
  if (object.kind === 'prompt' && server.catalogue?.prompts.has(object.name) !== true) return refusal('prompt.unknown');
  return { kind: 'upstream', server, object, renamed: false };
}

function aggregateTarget(ctx: CallContext): Target | Refusal {
  const { snapshot, message } = ctx;
  if (snapshot === null || message === null) return refusal('internal');
  if (message.method !== 'tools/call' && message.method !== 'prompts/get') return methodUnknown(message.method);
  const object = objectOf(ctx);
  if ('code' in object) return object;
  const isTool = object.kind === 'tool';
  const exposed = (isTool ? snapshot.exposedTools : snapshot.exposedPrompts).get(object.name);
  if (exposed !== undefined) return exposedTarget(exposed, object);
  return bareTarget(ctx, object, (isTool ? snapshot.bareTools : snapshot.barePrompts).get(object.name) ?? []);
}

/**
 * A bare name stands for the tool of the server that first held it, if that is the one such tool the caller may use: a name
 * must never come to mean a different tool (architecture.md §3). `owners`: the first holder first.
 */
function bareTarget(ctx: CallContext, object: CallObject, owners: readonly ExposedEntry[]): Target | Refusal {
  const permitted = owners.filter(({ server }) => isPermitted(ctx, server, object));
  const unknown = object.kind === 'tool' ? 'tool.unknown' : 'prompt.unknown';
  const [only, second] = permitted;
  if (only === undefined) return refusal(unknown);
  const fullNames = permitted.map(({ exposedName }) => `"${exposedName}"`).join(', ');
  if (second !== undefined) return refusal('tool.ambiguous', `Full names: ${fullNames}.`);
  if (only !== owners[0]) return refusal(unknown, `Use the full name ${fullNames}.`);
  return exposedTarget(only, object);
}

function exposedTarget({ entry, server }: ExposedEntry, object: CallObject): Target {
  return { kind: 'upstream', server, object: { kind: object.kind, name: entry.name }, renamed: entry.name !== object.name };
}

function isPermitted({ principal, snapshot }: CallContext, server: CompiledServer, object: CallObject): boolean {
  return principal !== null && snapshot !== null && decide(snapshot.grants, principal, server.id, object).kind === 'allow';
}

/** What the message is about; a name or URI that is missing or no string is the caller's mistake. */
function objectOf({ body, message }: CallContext): CallObject | Refusal {
  switch (message?.method) {
    case 'tools/call':
      return named('tool', message.name, 'params.name must be the name of a tool.');
    case 'prompts/get':
      return named('prompt', message.name, 'params.name must be the name of a prompt.');
    case 'resources/read':
      return named('resource', message.uri, 'params.uri must be the URI of a resource.');
    case 'completion/complete':
      return message.refSpan === null
        ? refusal('rpc.params', 'params.ref is missing.')
        : referenced(body.subarray(message.refSpan.start, message.refSpan.end));
    default:
      return methodUnknown(message?.method ?? '');
  }
}

function named(kind: CallObject['kind'], name: string | null, detail: string): CallObject | Refusal {
  return name === null ? refusal('rpc.params', detail) : { kind, name };
}

/** Completion is decided by the object it refers to (security.md §11). */
function referenced(bytes: Buffer): CallObject | Refusal {
  const ref: unknown = JSON.parse(bytes.toString());
  if (typeof ref === 'object' && ref !== null && 'type' in ref) {
    if (ref.type === 'ref/prompt' && 'name' in ref && typeof ref.name === 'string') return { kind: 'prompt', name: ref.name };
    if (ref.type === 'ref/resource' && 'uri' in ref && typeof ref.uri === 'string') return { kind: 'template', name: ref.uri };
  }
  return refusal('rpc.params', 'params.ref must be a ref/prompt with a name or a ref/resource with a uri.');
}

function methodUnknown(method: string): Refusal {
  return refusal('rpc.method_unknown', `This endpoint does not offer "${method.slice(0, 128)}".`);
}
