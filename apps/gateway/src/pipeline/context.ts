import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Span } from '@opentelemetry/api';
import type { Principal } from '@patchbay/contracts';
import type { ErrorCode, Refusal } from '@patchbay/errors';
import type { Era, ScannedMessage } from '@patchbay/mcp-wire';
import type { Admission } from '../limits/counter-set.ts';
import type { ClientSession } from '../sessions/client-session.ts';
import type { CompiledServer, CompiledSnapshot, EntryKind } from '../snapshot/compiled.ts';

/** A step said everything itself: the response is written (or being written by a stream that has ended by now). */
export const ANSWERED = Symbol('answered');

/** What a step ends with: nothing (go on), a refusal, or ANSWERED. */
export type Outcome = undefined | Refusal | typeof ANSWERED;

/** One stage of a call. Synchronous on a warm call; may answer "later" on a first lookup. */
export type Step = (ctx: CallContext) => Outcome | Promise<Outcome>;

/**
 * What a message is about: the thing that grants decide on. `method`: one that we do not know, for a server that may. `server`: a list that
 * the server makes for this caller.
 */
export type CallObject = { readonly kind: EntryKind | 'method' | 'server'; readonly name: string };

/** Where a message goes: a closed set (architecture.md §4); `openapi` and `composite` join later. */
export type Target =
  | {
      readonly kind: 'upstream';
      readonly server: CompiledServer;
      readonly object: CallObject;
      /** The server's own name, URI or id for what is asked, where the client knows it by another; null: what the client said. */
      readonly upstreamName: string | null;
    }
  | { readonly kind: 'builtin'; readonly method: BuiltinMethod; readonly server: CompiledServer | null };

/** What Patchbay answers itself (`server` is null on the aggregated endpoint). */
export type BuiltinMethod =
  | 'initialize'
  | 'server/discover'
  | 'subscriptions/listen'
  | 'ping'
  | 'logging/setLevel'
  | 'resources/subscribe'
  | 'resources/unsubscribe'
  | 'tools/list'
  | 'prompts/list'
  | 'resources/list'
  | 'resources/templates/list'
  | 'session/delete'
  | 'stream'
  | 'notification';

/** Everything one call accumulates. Every field exists from birth, so V8 keeps a single hidden class. */
export class CallContext {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** `performance.now()` at arrival. */
  readonly startedAtMs: number;

  // receive
  organisationSlug = '';
  /** null: the aggregated endpoint. */
  serverSlug: string | null = null;
  /** Of a page that is not ours; null: no page, or one of ours. */
  foreignOrigin: string | null = null;

  // authenticate
  principal: Principal | null = null;
  tokenHash = '';
  /** Read once: a swap in the middle of a call never mixes two revisions. */
  snapshot: CompiledSnapshot | null = null;

  // read
  /** The server of a per-server endpoint; null on the aggregated one. */
  endpointServer: CompiledServer | null = null;
  /** JSON of the id to name in an error when the message was refused while being read. */
  refusedId = 'null';
  /** Empty for DELETE. */
  body: Buffer = EMPTY;
  /** null for DELETE and before the body stands. */
  message: ScannedMessage | null = null;
  era: Era = 'legacy';
  /** Negotiated with the client: of its session (legacy) or of this request (modern). */
  protocolVersion = '';
  /** null for modern clients and for legacy ones that sent no session id. */
  session: ClientSession | null = null;

  // route
  target: Target | null = null;

  // authorize
  grantId = '';

  // throttle
  /** What the call holds until it has ended. */
  admission: Admission | null = null;
  /** Id of the first limit in audit mode that would have refused the call. */
  auditedLimitId = '';

  // attach credential: header values of the upstream's own credential, for dispatch alone
  upstreamHeaders: Readonly<Record<string, string>> | null = null;

  // dispatch
  upstreamStartedAtMs = 0;
  upstreamMs = 0;
  upstreamStatus = 0;

  // record
  /** The call's span when tracing is on and this call is sampled. */
  span: Span | null = null;
  /** W3C traceparent of that span, written over the client's own `_meta.traceparent` upstream. */
  traceparent: string | null = null;
  /** 'ok', 'tool_error' (an isError result), 'cancelled', or the error's code. */
  outcome: 'ok' | 'tool_error' | 'cancelled' | ErrorCode = 'ok';

  constructor(request: IncomingMessage, response: ServerResponse, startedAtMs: number) {
    this.request = request;
    this.response = response;
    this.startedAtMs = startedAtMs;
  }
}

const EMPTY = Buffer.alloc(0);
