import type { MessageId } from '@patchbay/mcp-wire';
import { ANSWERED, type CallContext, type Outcome, type Step } from '../pipeline/context.ts';
import { respondAccepted } from '../pipeline/respond.ts';
import type { ClientSession } from '../sessions/client-session.ts';
import type { InFlight } from '../upstream/in-flight.ts';
import { notify } from '../upstream/open-session.ts';
import { type ReachDeps, reach } from '../upstream/reach.ts';
import { isOurId } from '../upstream/rounds/question-ids.ts';
import type { SessionRegistry } from '../upstream/session-registry.ts';

export type ForwardNotificationDeps = ReachDeps & {
  readonly inFlight: Pick<InFlight, 'cancel' | 'cancelElsewhere'>;
  readonly sessions: Pick<SessionRegistry, 'find'>;
  /** What a client responds to a question of ours. */
  readonly takeAnswer: Step;
};

/**
 * Takes a client's notification. Only what concerns a session of its own goes further: `initialized` of a forwarded session, and
 * `cancelled`. A client gets 202 whatever becomes of it, as the transport has it.
 */
export function makeForwardNotification(deps: ForwardNotificationDeps): Step {
  return function forwardNotification(ctx: CallContext): Outcome | Promise<Outcome> {
    const { era, message, session } = ctx;
    if (session !== null && message?.kind === 'response' && isOurId(message.id)) return deps.takeAnswer(ctx);
    // A modern client cancels by closing its stream; another response is awaited by nobody.
    if (era === 'legacy' && session !== null && message?.kind === 'notification') {
      if (message.method === 'notifications/initialized') return passOn(deps, ctx, session).then(() => accept(ctx));
      if (message.method === 'notifications/cancelled' && message.requestId !== null) return cancel(deps, ctx, session, message.requestId);
    }
    return accept(ctx);
  };
}

/**
 * The call may wait on another pod. Its server is told as well where it knows the call by the same id, for the session is this client's
 * alone: that pod may be gone.
 */
async function cancel(deps: ForwardNotificationDeps, ctx: CallContext, session: ClientSession, id: MessageId): Promise<Outcome> {
  if (!deps.inFlight.cancel(session.key, id))
    await Promise.all([deps.inFlight.cancelElsewhere(session.key, id), passOn(deps, ctx, session)]);
  return accept(ctx);
}

function accept(ctx: CallContext): Outcome {
  respondAccepted(ctx);
  return ANSWERED;
}

/** On a legacy server's own endpoint every session was opened by a forwarded `initialize`; elsewhere we sent `initialized` ourselves. */
async function passOn(deps: ForwardNotificationDeps, ctx: CallContext, clientSession: ClientSession): Promise<void> {
  const { endpointServer } = ctx;
  if (endpointServer?.catalogue?.era !== 'legacy') return;
  const upstream = await reach(deps, ctx, endpointServer);
  if ('code' in upstream) return;
  const session = await deps.sessions.find(upstream, { userId: clientSession.userId, clientSession });
  if (session !== null) await notify(upstream, session, ctx.body);
}
