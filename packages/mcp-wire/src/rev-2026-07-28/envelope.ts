import { memberOf, sliceObject } from '../json-slices.ts';
import { MODERN_VERSION } from '../revisions.ts';
import type { MessageId, ScannedMessage } from '../scanned-message.ts';
import type { Span } from '../span.ts';
import { splice, type Edit } from '../splice.ts';

/** `_meta` keys of revision 2026-07-28 that we write. */
export const META_KEYS = {
  protocolVersion: 'io.modelcontextprotocol/protocolVersion',
  clientCapabilities: 'io.modelcontextprotocol/clientCapabilities',
  clientInfo: 'io.modelcontextprotocol/clientInfo',
  serverInfo: 'io.modelcontextprotocol/serverInfo',
  logLevel: 'io.modelcontextprotocol/logLevel',
  subscriptionId: 'io.modelcontextprotocol/subscriptionId',
} as const;

/** Results that must say how long and by whom they may be kept (SEP-2549). */
const CACHEABLE_METHODS: ReadonlySet<string> = new Set([
  'server/discover',
  'tools/list',
  'prompts/list',
  'resources/list',
  'resources/templates/list',
  'resources/read',
]);

const RESOURCE_NOT_FOUND_BEFORE_2026 = -32002;
const INVALID_PARAMS = -32602;

export type RequestMeta = {
  /** A JSON object as text; never more than what the caller declared and we can carry. */
  readonly clientCapabilities: string;
  readonly clientInfo: { readonly name: string; readonly version: string };
  readonly progressToken?: MessageId | null;
  readonly traceparent?: string | null;
  readonly tracestate?: string | null;
};

/** The `_meta` object, as JSON text, of a request that we send to a modern upstream. */
export function requestMeta({ clientCapabilities, clientInfo, progressToken, traceparent, tracestate }: RequestMeta): string {
  const members = [
    `"${META_KEYS.protocolVersion}":"${MODERN_VERSION}"`,
    `"${META_KEYS.clientCapabilities}":${clientCapabilities}`,
    `"${META_KEYS.clientInfo}":${JSON.stringify({ name: clientInfo.name, version: clientInfo.version })}`,
  ];
  for (const [key, value] of Object.entries({ progressToken, traceparent, tracestate })) {
    if (value !== undefined && value !== null) members.push(`"${key}":${JSON.stringify(value)}`);
  }
  return `{${members.join(',')}}`;
}

/** The edit that adds `members` (JSON text, no braces, at least one) to a request's `_meta`, which and whose `params` it makes if absent. */
export function addMetaMembers(bytes: Buffer, message: ScannedMessage, members: string): Edit {
  if (message.metaSpan !== null) return insertMembers(bytes, message.metaSpan.start, members);
  if (message.paramsSpan !== null) return insertMembers(bytes, message.paramsSpan.start, `"_meta":{${members}}`);
  const at = message.methodSpan === null ? 0 : message.methodSpan.end;
  return { start: at, end: at, replacement: `,"params":{"_meta":{${members}}}` };
}

/**
 * A legacy result as a modern one: adds `resultType` and, for the cacheable methods, `ttlMs` 0 and `cacheScope` private, each only
 * if absent, and our word on who answers (`serverInfo`, JSON text). All other bytes stay. Null when the result is no JSON object.
 */
export function completeResult(method: string, result: Buffer, serverInfo: string | null = null): Buffer | null {
  const object = sliceObject(result);
  if (object === null) return null;
  const names = new Set(object.members.map(({ name }) => name));
  const added: string[] = [];
  if (!names.has('resultType')) added.push('"resultType":"complete"');
  if (CACHEABLE_METHODS.has(method)) {
    if (!names.has('ttlMs')) added.push('"ttlMs":0');
    if (!names.has('cacheScope')) added.push('"cacheScope":"private"');
  }
  if (serverInfo !== null && !names.has('_meta')) added.push(`"_meta":{"${META_KEYS.serverInfo}":${serverInfo}}`);
  const edits: Edit[] = added.length === 0 ? [] : [insertMembers(result, object.span.start, added.join(','))];
  const meta = memberOf(object, '_meta');
  if (serverInfo !== null && meta !== null && lacks(result, meta, META_KEYS.serverInfo)) {
    edits.push(insertMembers(result, meta.start, `"${META_KEYS.serverInfo}":${serverInfo}`));
  }
  return edits.length === 0 ? result : splice(result, edits);
}

function lacks(bytes: Buffer, { start, end }: Span, name: string): boolean {
  const object = sliceObject(bytes.subarray(start, end));
  return object !== null && !object.members.some((member) => member.name === name);
}

/** The error code a modern peer is told for a legacy upstream's: "resource not found" has become invalid params (SEP-2164). */
export function modernErrorCode(code: number): number {
  return code === RESOURCE_NOT_FOUND_BEFORE_2026 ? INVALID_PARAMS : code;
}

/** Inserts right behind the opening brace at `open`. */
function insertMembers(bytes: Buffer, open: number, members: string): Edit {
  let next = open + 1;
  while (bytes[next] === 0x20 || bytes[next] === 0x0a || bytes[next] === 0x0d || bytes[next] === 0x09) next += 1;
  const isEmpty = bytes[next] === 0x7d;
  return { start: open + 1, end: open + 1, replacement: isEmpty ? members : `${members},` };
}
