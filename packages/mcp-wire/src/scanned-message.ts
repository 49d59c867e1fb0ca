import type { Span } from './span.ts';

export type MessageKind = 'request' | 'notification' | 'response';
export type MessageId = string | number;

/** The members whose type we check; listed in `wrongTypes` when present with another one. */
export type TypedMember =
  | 'name'
  | 'uri'
  | 'cursor'
  | 'arguments'
  | 'ref'
  | 'argument'
  | '_meta'
  | 'requestState'
  | 'inputResponses'
  | 'taskId'
  | 'protocolVersion'
  | 'requestId'
  | 'capabilities'
  | '_meta.progressToken'
  | '_meta.protocolVersion'
  | '_meta.clientCapabilities'
  | '_meta.clientInfo'
  | '_meta.logLevel'
  | '_meta.traceparent'
  | '_meta.tracestate'
  | '_meta.baggage';

/** None: the usual case shares one array. */
const NO_WRONG_TYPES: readonly TypedMember[] = [];

/**
 * What a gateway reads of one JSON-RPC message; everything else stays bytes. Spans are offsets into the scanned bytes and cover
 * the value as written (a string's quotes included). Absent is null. A span without its value means: present with the wrong type,
 * and then `wrongTypes` names it. Every field exists from birth, so V8 keeps one hidden class.
 */
export class ScannedMessage {
  kind: MessageKind = 'notification';
  /** Null only for a notification. Its JSON type is kept: "1" and 1 are different ids, and 0 is one. */
  id: MessageId | null = null;
  idSpan: Span | null = null;
  /** Empty for a response. */
  method = '';
  methodSpan: Span | null = null;
  paramsSpan: Span | null = null;
  resultSpan: Span | null = null;
  errorSpan: Span | null = null;

  name: string | null = null;
  nameSpan: Span | null = null;
  uri: string | null = null;
  uriSpan: Span | null = null;
  /** "" is a valid cursor. */
  cursor: string | null = null;
  cursorSpan: Span | null = null;
  taskId: string | null = null;
  taskIdSpan: Span | null = null;
  requestState: string | null = null;
  requestStateSpan: Span | null = null;
  /** Of notifications/cancelled. */
  requestId: MessageId | null = null;
  requestIdSpan: Span | null = null;
  /** Of a legacy initialize: params.protocolVersion. */
  protocolVersion: string | null = null;
  /** Of a legacy initialize. */
  capabilitiesSpan: Span | null = null;
  argumentsSpan: Span | null = null;
  refSpan: Span | null = null;
  argumentSpan: Span | null = null;
  inputResponsesSpan: Span | null = null;

  metaSpan: Span | null = null;
  progressToken: MessageId | null = null;
  progressTokenSpan: Span | null = null;
  /** `_meta["io.modelcontextprotocol/protocolVersion"]`: its presence is what makes a message modern. */
  metaProtocolVersion: string | null = null;
  metaProtocolVersionSpan: Span | null = null;
  clientCapabilitiesSpan: Span | null = null;
  metaClientInfoSpan: Span | null = null;
  logLevel: string | null = null;
  traceparent: string | null = null;
  traceparentSpan: Span | null = null;
  tracestate: string | null = null;
  tracestateSpan: Span | null = null;
  baggageSpan: Span | null = null;

  wrongTypes: readonly TypedMember[] = NO_WRONG_TYPES;
}
