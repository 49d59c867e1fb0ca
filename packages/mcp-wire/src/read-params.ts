import { knownKeys } from './known-keys.ts';
import { noteWrongType, readId, readText, type ScanState } from './read-value.ts';
import type { TypedMember } from './scanned-message.ts';
import type { Span } from './span.ts';

const OPEN_OBJECT = 0x7b;

const PARAMS_MEMBERS = [
  'name',
  'uri',
  'cursor',
  'arguments',
  'ref',
  'argument',
  '_meta',
  'requestState',
  'inputResponses',
  'taskId',
  'protocolVersion',
  'requestId',
  'capabilities',
] as const satisfies readonly TypedMember[];

const META_MEMBERS = [
  'progressToken',
  'io.modelcontextprotocol/protocolVersion',
  'io.modelcontextprotocol/clientCapabilities',
  'io.modelcontextprotocol/clientInfo',
  'io.modelcontextprotocol/logLevel',
  'traceparent',
  'tracestate',
  'baggage',
] as const;

/** The keys of `params` that we decide on. */
export const PARAMS = knownKeys(PARAMS_MEMBERS);
/** The keys of `params._meta` that we decide on (protocol.md §1.3). */
export const META = knownKeys(META_MEMBERS);
export const PARAMS_META = PARAMS_MEMBERS.indexOf('_meta');

/** Reads one known member of `params` other than an object `_meta`; the position after it, or −1. */
export function readParamsMember(state: ScanState, index: number, at: number): number {
  const member = PARAMS_MEMBERS[index] as (typeof PARAMS_MEMBERS)[number];
  const end = state.walker.value(at, 2, member === 'arguments' ? state.argumentsWatcher : null);
  if (end < 0) return -1;
  const span: Span = { start: at, end };
  switch (member) {
    case 'arguments':
    case 'ref':
    case 'argument':
    case 'inputResponses':
    case 'capabilities':
    case '_meta':
      keepObject(state, member, span);
      break;
    case 'requestId':
      state.message.requestIdSpan = span;
      state.message.requestId = readId(state, at, end);
      if (state.message.requestId === null) noteWrongType(state.message, member);
      break;
    default:
      keepText(state, member, span);
  }
  return end;
}

function keepObject(
  state: ScanState,
  member: 'arguments' | 'ref' | 'argument' | 'inputResponses' | 'capabilities' | '_meta',
  span: Span,
): void {
  const { message } = state;
  if (member === '_meta') message.metaSpan = span;
  else message[`${member}Span`] = span;
  if (state.bytes[span.start] !== OPEN_OBJECT) noteWrongType(message, member);
}

function keepText(state: ScanState, member: 'name' | 'uri' | 'cursor' | 'taskId' | 'requestState' | 'protocolVersion', span: Span): void {
  const { message } = state;
  const text = readText(state, span.start, span.end);
  message[member] = text;
  if (member !== 'protocolVersion') message[`${member}Span`] = span;
  if (text === null) noteWrongType(message, member);
}

/** Reads one known member of `params._meta`; the position after it, or −1. */
export function readMetaMember(state: ScanState, index: number, at: number): number {
  const { message } = state;
  const end = state.walker.value(at, 3);
  if (end < 0) return -1;
  const span: Span = { start: at, end };
  switch (META_MEMBERS[index]) {
    case 'progressToken':
      message.progressTokenSpan = span;
      message.progressToken = readId(state, at, end);
      if (message.progressToken === null) noteWrongType(message, '_meta.progressToken');
      break;
    case 'io.modelcontextprotocol/protocolVersion':
      message.metaProtocolVersionSpan = span;
      message.metaProtocolVersion = readMetaText(state, span, '_meta.protocolVersion');
      break;
    case 'io.modelcontextprotocol/clientCapabilities':
      message.clientCapabilitiesSpan = span;
      if (state.bytes[at] !== OPEN_OBJECT) noteWrongType(message, '_meta.clientCapabilities');
      break;
    case 'io.modelcontextprotocol/clientInfo':
      message.metaClientInfoSpan = span;
      if (state.bytes[at] !== OPEN_OBJECT) noteWrongType(message, '_meta.clientInfo');
      break;
    case 'io.modelcontextprotocol/logLevel':
      message.logLevel = readMetaText(state, span, '_meta.logLevel');
      break;
    case 'traceparent':
      message.traceparentSpan = span;
      message.traceparent = readMetaText(state, span, '_meta.traceparent');
      break;
    case 'tracestate':
      message.tracestateSpan = span;
      message.tracestate = readMetaText(state, span, '_meta.tracestate');
      break;
    default:
      message.baggageSpan = span;
  }
  return end;
}

function readMetaText(state: ScanState, span: Span, member: TypedMember): string | null {
  const text = readText(state, span.start, span.end);
  if (text === null) noteWrongType(state.message, member);
  return text;
}
