import {
  addMetaMembers,
  type Edit,
  META_KEYS,
  type MessageId,
  type ScannedMessage,
  type Span,
  sliceMember,
  sliceMembers,
  splice,
  withoutMembers,
} from '@patchbay/mcp-wire';
import type { Continuation } from '../rounds/input-rounds.ts';

/** What has to differ between the client's bytes and the upstream's; null: stays. */
export type RequestChanges = {
  /** The server's own name, URI or id for what the request is about, where the endpoint exposes it under another. */
  readonly name: string | null;
  /** Where others share the upstream session: one text serves as id and as progress token. */
  readonly id: MessageId | null;
  /** Overwritten only where the client sent one (architecture.md §4). */
  readonly traceparent: string | null;
  /** Client capabilities of a modern client, as JSON text, where its server may not know all of them. */
  readonly capabilities: Buffer | null;
};

/** The edits that hold for every pair of eras. */
function commonEdits(bytes: Buffer, message: ScannedMessage, { id, name }: RequestChanges): Edit[] {
  const edits: Edit[] = [];
  if (id !== null && message.idSpan !== null) edits.push({ ...message.idSpan, replacement: JSON.stringify(id) });
  const nameSpan = name === null ? null : objectSpan(bytes, message);
  if (nameSpan !== null) edits.push({ ...nameSpan, replacement: JSON.stringify(name) });
  return edits;
}

/** Where a request names what it is about. */
function objectSpan(bytes: Buffer, { method, nameSpan, refSpan, taskIdSpan, uriSpan }: ScannedMessage): Span | null {
  if (method === 'tools/call' || method === 'prompts/get') return nameSpan;
  if (method !== 'completion/complete') return method.startsWith('tasks/') ? taskIdSpan : uriSpan;
  if (refSpan === null) return null;
  const ref = bytes.subarray(refSpan.start, refSpan.end);
  const { type } = JSON.parse(ref.toString('utf8')) as { type?: unknown };
  const named = sliceMember(ref, [type === 'ref/prompt' ? 'name' : 'uri']);
  return named === null ? null : { start: refSpan.start + named.start, end: refSpan.start + named.end };
}

function metaValueEdits(message: ScannedMessage, { capabilities, id, traceparent }: RequestChanges): Edit[] {
  const edits: Edit[] = [];
  if (capabilities !== null && message.clientCapabilitiesSpan !== null)
    edits.push({ ...message.clientCapabilitiesSpan, replacement: capabilities });
  if (id !== null && message.progressTokenSpan !== null) edits.push({ ...message.progressTokenSpan, replacement: JSON.stringify(id) });
  if (traceparent !== null && message.traceparentSpan !== null)
    edits.push({ ...message.traceparentSpan, replacement: JSON.stringify(traceparent) });
  return edits;
}

/** Same era on both sides: the client's own buffer when nothing has to differ. */
export function sameEraRequest(bytes: Buffer, message: ScannedMessage, changes: RequestChanges): Buffer {
  return apply(bytes, [...commonEdits(bytes, message, changes), ...metaValueEdits(message, changes)]);
}

/** For a legacy upstream: without answers, and `_meta` without the keys of the modern envelope; progress token, trace context and foreign keys stay. */
export function modernToLegacyRequest(bytes: Buffer, message: ScannedMessage, changes: RequestChanges): Buffer {
  const edits = commonEdits(bytes, message, changes);
  if (message.metaSpan !== null) edits.push({ ...message.metaSpan, replacement: strippedMeta(bytes, message, changes) });
  const edited = apply(bytes, edits);
  return message.inputResponsesSpan === null && message.requestStateSpan === null ? edited : withoutInput(edited);
}

const INPUT: ReadonlySet<string> = new Set(['inputResponses', 'requestState']);

/** Answers to what the server asked reach it as responses of their own. */
function withoutInput(bytes: Buffer): Buffer {
  const span = sliceMember(bytes, ['params']);
  const kept = span === null ? null : withoutMembers(bytes.subarray(span.start, span.end), INPUT);
  return span === null || kept === null ? bytes : splice(bytes, [{ ...span, replacement: kept }]);
}

const ENVELOPE_KEYS: ReadonlySet<string> = new Set([
  META_KEYS.protocolVersion,
  META_KEYS.clientCapabilities,
  META_KEYS.clientInfo,
  META_KEYS.logLevel,
]);

function strippedMeta(
  bytes: Buffer,
  { metaSpan, progressTokenSpan, traceparentSpan }: ScannedMessage,
  { id, traceparent }: RequestChanges,
): string {
  if (metaSpan === null) return '{}';
  const meta = bytes.subarray(metaSpan.start, metaSpan.end);
  const kept: string[] = [];
  for (const { name, nameSpan, valueSpan } of sliceMembers(meta, []) ?? []) {
    if (ENVELOPE_KEYS.has(name)) continue;
    let value = meta.toString('utf8', valueSpan.start, valueSpan.end);
    if (name === 'progressToken' && id !== null && progressTokenSpan !== null) value = JSON.stringify(id);
    if (name === 'traceparent' && traceparent !== null && traceparentSpan !== null) value = JSON.stringify(traceparent);
    kept.push(`${meta.toString('utf8', nameSpan.start, nameSpan.end)}:${value}`);
  }
  return `{${kept.join(',')}}`;
}

export type ModernChanges = RequestChanges & {
  /** The envelope's members, as JSON text without braces. */
  readonly envelope: string;
  readonly continuation: Continuation | null;
};

/** For a modern upstream: the envelope in `_meta`. A legacy client's own keys of that name, which mean nothing there, give way. */
export function legacyToModernRequest(bytes: Buffer, message: ScannedMessage, changes: ModernChanges): Buffer {
  const { continuation, envelope } = changes;
  const edits = [...commonEdits(bytes, message, changes), ...answerEdits(message, continuation)];
  const hasEnvelopeKey = message.clientCapabilitiesSpan !== null || message.metaClientInfoSpan !== null || message.logLevel !== null;
  if (message.metaSpan !== null && hasEnvelopeKey) {
    const rest = strippedMeta(bytes, message, changes).slice(1);
    edits.push({ ...message.metaSpan, replacement: `{${envelope}${rest === '}' ? '' : ','}${rest}` });
  } else {
    edits.push(...metaValueEdits(message, changes), addMetaMembers(bytes, message, envelope));
  }
  return apply(bytes, edits);
}

/** Calls that are asked something have parameters, a name or a URI at least. What a client says there itself answers nobody, and stays only then. */
function answerEdits({ inputResponsesSpan, paramsSpan, requestStateSpan }: ScannedMessage, continuation: Continuation | null): Edit[] {
  if (continuation === null || paramsSpan === null) return [];
  const { inputResponses, requestState } = continuation;
  const edits: Edit[] = [];
  const added: string[] = [];
  for (const [name, value, span] of [
    ['inputResponses', inputResponses, inputResponsesSpan],
    ['requestState', requestState, requestStateSpan],
  ] as const) {
    if (span !== null) edits.push({ ...span, replacement: value ?? (name === 'requestState' ? '""' : '{}') });
    else if (value !== null) added.push(`,"${name}":${value}`);
  }
  // Behind the last member.
  if (added.length > 0) edits.push({ start: paramsSpan.end - 1, end: paramsSpan.end - 1, replacement: added.join('') });
  return edits;
}

function apply(bytes: Buffer, edits: Edit[]): Buffer {
  if (edits.length === 0) return bytes;
  return splice(
    bytes,
    edits.toSorted((a, b) => a.start - b.start),
  );
}
