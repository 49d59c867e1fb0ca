import { randomUUID } from 'node:crypto';
import { type Refusal, refusal } from '@patchbay/errors';
import { sliceMember, type Span, splice } from '@patchbay/mcp-wire';
import { ANSWERED, type CallContext, type Outcome, type Step } from '../pipeline/context.ts';
import { respondJson } from '../pipeline/respond.ts';
import { clientFactsOf } from '../sessions/client-facts.ts';
import type { ClientFacts } from '../sessions/client-session.ts';
import { bindingOf, type SessionOpener } from '../sessions/session-opener.ts';
import type { CompiledServer } from '../snapshot/compiled.ts';
import type { Asked } from '../upstream/ask.ts';
import { closeSession, readSession, sendInitialize } from '../upstream/open-session.ts';
import { type ReachDeps, reach } from '../upstream/reach.ts';
import { capabilitiesFor } from '../upstream/sampling.ts';
import type { SessionRegistry } from '../upstream/session-registry.ts';
import { readHostRefusal } from '../upstream/upstream-error.ts';
import type { Upstream } from '../upstream/upstreams.ts';
import { openOnOne, type Way } from '../upstream/ways.ts';
import { sessionCapabilities } from './deliverable-capabilities.ts';

export type InitializeForwardedDeps = ReachDeps & {
  readonly sessionOpener: Pick<SessionOpener, 'mint'>;
  readonly sessions: Pick<SessionRegistry, 'adopt'>;
};

/**
 * A legacy `initialize` on a legacy server's own endpoint goes to the server as it is: its version and words come back, less the
 * capabilities that we cannot deliver, and its session id is sealed into ours (architecture.md §5).
 */
export function makeInitializeForwarded(deps: InitializeForwardedDeps): Step {
  return async function initializeForwarded(ctx: CallContext): Promise<Outcome> {
    const server = ctx.target?.kind === 'builtin' ? ctx.target.server : null;
    if (server === null) return refusal('internal');
    const opened = await openForwarded(deps, ctx, server);
    return 'code' in opened ? opened : answerForwarded(deps, ctx, opened);
  };
}

/** What a server answered to a client's `initialize`. */
export type Initialized = { readonly asked: Asked; readonly facts: ClientFacts; readonly upstream: Upstream; readonly way: Way };

/** Sends the client's `initialize` to the server; a session that it opened is in its answer, and nowhere recorded yet. */
export async function openForwarded(deps: ReachDeps, ctx: CallContext, server: CompiledServer): Promise<Initialized | Refusal> {
  const { body, message } = ctx;
  if (message === null || message.id === null) return refusal('internal');
  if (message.capabilitiesSpan === null) return refusal('rpc.params', 'params.capabilities is missing.');
  const facts = clientFactsOf(body, message, message.protocolVersion ?? '');
  if ('code' in facts) return facts;
  const upstream = await reach(deps, ctx, server);
  if ('code' in upstream) return upstream;
  const { id } = message;
  const said = knownTo(server, body, message.capabilitiesSpan);
  const placing = { owner: randomUUID(), slug: server.slug };
  const outcome = await openOnOne(upstream.ways, placing, (way) => initializeOver(upstream, way, { body: said, id }));
  return 'code' in outcome ? outcome : { asked: outcome.opened, facts, upstream, way: outcome.way };
}

/** The client's own bytes, unless the server may not know all that it declares. */
function knownTo({ sampling }: CompiledServer, body: Buffer, span: Span): Buffer {
  const declared = body.subarray(span.start, span.end);
  const known = capabilitiesFor(sampling, declared);
  return known === declared ? body : splice(body, [{ ...span, replacement: known }]);
}

async function initializeOver(upstream: Upstream, way: Way, request: { body: Buffer; id: string | number }): Promise<Asked | Refusal> {
  const asked = await sendInitialize(upstream, way, request);
  if ('code' in asked || upstream.server.kind !== 'stdio' || sliceMember(asked.body, ['error']) === null) return asked;
  return readHostRefusal(asked.body) ?? asked;
}

/** Its answer for the client, and the session sealed into ours. */
export async function answerForwarded(
  deps: InitializeForwardedDeps,
  ctx: CallContext,
  { asked, facts, upstream, way }: Initialized,
): Promise<Outcome> {
  if (sliceMember(asked.body, ['error']) !== null) {
    // The server's own refusal (of the version, say) is the client's answer.
    respondJson(ctx, 200, asked.body);
    return ANSWERED;
  }
  const session = readSession(upstream, way, asked);
  if ('code' in session) return session;
  if (ctx.response.destroyed) {
    // Nobody will ever hold this session.
    void closeSession(upstream, session);
    ctx.outcome = 'cancelled';
    return ANSWERED;
  }
  const minted = deps.sessionOpener.mint(bindingOf(ctx), { ...facts, protocolVersion: session.protocolVersion }, session);
  await minted.recorded;
  if (minted.session.upstreamSessionId === null) {
    await deps.sessions.adopt(upstream, { userId: minted.session.userId, clientSession: minted.session }, session);
  }
  ctx.response.setHeader('mcp-session-id', minted.header);
  respondJson(ctx, 200, withDeliverableCapabilities(asked.body));
  return ANSWERED;
}

function withDeliverableCapabilities(bytes: Buffer): Buffer {
  const span = sliceMember(bytes, ['result', 'capabilities']);
  if (span === null) return bytes;
  const capabilities: unknown = JSON.parse(bytes.toString('utf8', span.start, span.end));
  const reduced =
    typeof capabilities === 'object' && capabilities !== null ? sessionCapabilities(capabilities as Record<string, unknown>) : {};
  return splice(bytes, [{ ...span, replacement: JSON.stringify(reduced) }]);
}
