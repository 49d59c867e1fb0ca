import { type Refusal, refusal } from '@patchbay/errors';
import { foldKey, sliceMembers, type Span } from '@patchbay/mcp-wire';
import type { CompiledServer } from '../snapshot/compiled.ts';
import { edgeEra } from '../upstream/edge-era.ts';
import type { CallContext, CallObject } from './context.ts';

/** What a message is about; a name or URI that is missing or no string is the caller's mistake. */
export function objectOf(ctx: CallContext): CallObject | Refusal {
  const { body, message } = ctx;
  switch (message?.method) {
    case 'tools/call':
      return named('tool', message.name, 'params.name must be the name of a tool.');
    case 'prompts/get':
      return named('prompt', message.name, 'params.name must be the name of a prompt.');
    case 'resources/read':
      return named('resource', message.uri, 'params.uri must be the URI of a resource.');
    case 'resources/subscribe':
    case 'resources/unsubscribe':
      return takesSubscriptions(ctx)
        ? named('resource', message.uri, 'params.uri must be the URI of a resource.')
        : methodUnknown(message.method);
    case 'completion/complete':
      return message.refSpan === null ? refusal('rpc.params', 'params.ref is missing.') : referenced(body, message.refSpan);
    default:
      return methodUnknown(message?.method ?? '');
  }
}

/** Where what changed can be told: in a session with a legacy server on its own endpoint. */
function takesSubscriptions({ endpointServer, era, session }: CallContext): boolean {
  return era === 'legacy' && session !== null && endpointServer !== null && edgeEra(endpointServer, session) === 'legacy';
}

/** Methods of some revision itself: what of these a server may be asked is decided here, whatever it would answer. */
const CORE_METHODS: ReadonlySet<string> = new Set([
  ...['initialize', 'ping', 'server/discover', 'subscriptions/listen', 'logging/setLevel', 'completion/complete'],
  ...['tools/list', 'tools/call', 'prompts/list', 'prompts/get', 'resources/list', 'resources/templates/list'],
  ...['resources/read', 'resources/subscribe', 'resources/unsubscribe'],
  ...['sampling/createMessage', 'elicitation/create', 'roots/list'],
]);

/** A method that no revision has, for a server of the client's own era: an extension between the two of them (protocol.md trap 16). */
export function foreignMethodOf({ era, message, session }: CallContext, server: CompiledServer): CallObject | null {
  if (message === null || edgeEra(server, session) !== era || CORE_METHODS.has(message.method)) return null;
  return { kind: 'method', name: message.method };
}

export function methodUnknown(method: string): Refusal {
  return refusal('rpc.method_unknown', `This endpoint does not offer "${method.slice(0, 128)}".`);
}

function named(kind: CallObject['kind'], name: string | null, detail: string): CallObject | Refusal {
  return name === null ? refusal('rpc.params', detail) : { kind, name };
}

/** Completion is decided by the object it refers to (security.md §11). */
function referenced(body: Buffer, ref: Span): CallObject | Refusal {
  const bytes = body.subarray(ref.start, ref.end);
  if (hasAmbiguousKeys(bytes)) return refusal('rpc.ambiguous', 'In params.ref a key appears twice, or two differ only in case or NUL.');
  const read: unknown = JSON.parse(bytes.toString());
  if (typeof read === 'object' && read !== null && 'type' in read) {
    if (read.type === 'ref/prompt' && 'name' in read && typeof read.name === 'string') return { kind: 'prompt', name: read.name };
    if (read.type === 'ref/resource' && 'uri' in read && typeof read.uri === 'string') return { kind: 'template', name: read.uri };
  }
  return refusal('rpc.params', 'params.ref must be a ref/prompt with a name or a ref/resource with a uri.');
}

/** What we decide on must be what the upstream reads; the scan of the message does not look into `ref`. */
function hasAmbiguousKeys(bytes: Buffer): boolean {
  const members = sliceMembers(bytes, []) ?? [];
  return new Set(members.map(({ name }) => foldKey(name))).size !== members.length;
}
