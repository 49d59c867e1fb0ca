import type { Era, MessageId, ScannedMessage } from '@patchbay/mcp-wire';
import type { Sampling } from '@patchbay/contracts';
import type { CallContext, Target } from '../../pipeline/context.ts';
import type { CompiledCatalogue } from '../../snapshot/compiled.ts';
import { legacyToModernAnswer, modernToLegacyAnswer, sameEraAnswer } from './answers.ts';
import type { Bridge } from './bridge.ts';
import { asksForPageOf } from '../asking/links.ts';
import { envelopeOf } from './envelope.ts';
import { carryNotification } from './notifications.ts';
import type { Continuation } from '../rounds/input-rounds.ts';
import { capabilitiesFor, mayAsk, samplingAsked, withoutContext } from '../sampling.ts';
import { legacyToModernRequest, modernToLegacyRequest, sameEraRequest } from './request-edits.ts';

/** A call's upstream target. */
export type UpstreamTarget = Extract<Target, { kind: 'upstream' }>;

/** Ids that are unique among everything in flight on an upstream session, whichever pods share it. */
export type NextId = () => MessageId;

/** How the server is spoken to. `isExclusive`: its session belongs to one client session alone, so that ids and progress tokens pass unchanged. */
export type Edge = { readonly upstreamEra: Era; readonly isExclusive: boolean; readonly nextId: NextId };

export type BridgeInput = Edge & {
  readonly ctx: CallContext;
  readonly message: ScannedMessage;
  readonly target: UpstreamTarget;
  readonly ownOrigin: string;
  /** The log level of a legacy client's session at a modern server. */
  readonly level: string | null;
  /** Of a call that a modern server asked something in; null: the first attempt. */
  readonly continuation: Continuation | null;
};

/** A session of the client's own with a legacy server: what the server asks and where its events stand means the same to both. */
function unchanged({ ctx: { endpointServer, session }, ownOrigin, target: { server } }: BridgeInput): Pick<Bridge, 'request' | 'eventId'> {
  return {
    request(bytes, message) {
      // Pages of ours are for us alone to point to (security.md §14).
      if (asksForPageOf(ownOrigin, bytes, message) || !mayAsk(server.sampling, message)) return null;
      // At the aggregated endpoint that is seen to where ids are exposed.
      return session === null || endpointServer === null ? bytes : withoutContext(bytes, message, session);
    },
    eventId: (id) => id,
  };
}

const NOT_OFFERED: Pick<Bridge, 'request' | 'eventId'> = { request: () => null, eventId: null };

/** Chooses by the pair of eras: client → upstream (protocol.md §2.2). Same era: byte for byte, but for what must differ. */
export function makeBridge(input: BridgeInput): Bridge {
  const { continuation, ctx, isExclusive, level, message, nextId, target, upstreamEra } = input;
  const { catalogue, sampling, slug } = target.server;
  // A call that is sent again with answers is a new request (revision 2026-07-28, basic/patterns/mrtr).
  const newId: MessageId | null = isExclusive && continuation === null ? null : nextId();
  const capabilities = sampling === 'relayed' ? null : keptFrom(ctx, message, sampling);
  const changes = { id: newId, name: target.upstreamName, traceparent: ctx.traceparent, capabilities };
  const answerChanges = { id: newId === null ? null : textOf(ctx, message.idSpan), method: message.method, slug };
  const token = newId === null ? null : { upstream: newId, client: textOf(ctx, message.progressTokenSpan) };
  const wantsLogs = (ctx.era === 'legacy' ? level : message.logLevel) !== null;
  const rules = { token, crossesEras: ctx.era !== upstreamEra, isLive: target.server.catalogueMode === 'live', wantsLogs };
  const asIs = upstreamEra === 'legacy' && !rules.crossesEras && isExclusive ? unchanged(input) : NOT_OFFERED;
  const way = {
    ...asIs,
    upstreamId: newId ?? message.id ?? 0,
    isVerbatim: !rules.crossesEras && newId === null && sampling === 'relayed',
    notification: (bytes: Buffer, notification: ScannedMessage) => carryNotification(bytes, notification, rules),
  };
  if (!rules.crossesEras) {
    return {
      ...way,
      body: sameEraRequest(ctx.body, message, changes),
      answer: (bytes, answered) => samplingAsked(sampling, bytes, slug) ?? sameEraAnswer(bytes, answered, answerChanges),
    };
  }
  if (upstreamEra === 'legacy') {
    const serverInfo = catalogue === null ? null : serverInfoText(catalogue);
    return {
      ...way,
      body: modernToLegacyRequest(ctx.body, message, changes),
      answer: (bytes, answered) => legacyToModernAnswer(bytes, answered, answerChanges, serverInfo),
    };
  }
  return {
    ...way,
    body: legacyToModernRequest(ctx.body, message, { ...changes, envelope: envelopeOf(ctx.session, { level, sampling }), continuation }),
    answer: (bytes, answered) => modernToLegacyAnswer(bytes, answered, answerChanges),
  };
}

function keptFrom({ body }: CallContext, { clientCapabilitiesSpan: span }: ScannedMessage, sampling: Sampling): Buffer | null {
  return span === null ? null : capabilitiesFor(sampling, body.subarray(span.start, span.end));
}

/** The client's own spelling, so that "1" stays "1" and 1 stays 1. */
function textOf({ body }: CallContext, span: { start: number; end: number } | null): string | null {
  return span === null ? null : body.toString('utf8', span.start, span.end);
}

const serverInfoTexts = new WeakMap<CompiledCatalogue, string>();

function serverInfoText(catalogue: CompiledCatalogue): string {
  let text = serverInfoTexts.get(catalogue);
  if (text === undefined) {
    text = JSON.stringify(catalogue.serverInfo);
    serverInfoTexts.set(catalogue, text);
  }
  return text;
}
