import { refusal } from '@patchbay/errors';
import { within } from '../directory/within.ts';
import { ANSWERED, type CallContext, type Outcome, type Step } from '../pipeline/context.ts';
import type { ClientSession } from '../sessions/client-session.ts';
import type { SessionStates } from '../sessions/session-states.ts';
import type { Tombstones } from '../sessions/tombstones.ts';
import { closeSession } from '../upstream/open-session.ts';
import type { SessionRegistry } from '../upstream/session-registry.ts';
import { sessionsInUse, type SessionsInUseDeps } from '../upstream/sessions-in-use.ts';

export type DeleteSessionDeps = SessionsInUseDeps & {
  readonly tombstones: Pick<Tombstones, 'bury'>;
  readonly sessions: Pick<SessionRegistry, 'forget'>;
  readonly states: Pick<SessionStates, 'heard'>;
};

const STORE_TIMEOUT_MS = 3_000;

/** Ends the client's session for good, then, without the client waiting, the upstream sessions that it had opened. */
export function makeDeleteSession(deps: DeleteSessionDeps): Step {
  return async function deleteSession(ctx: CallContext): Promise<Outcome> {
    const { session } = ctx;
    if (session === null) return refusal('session.gone');
    const buried = await within(
      deps.tombstones.bury(session).then(() => true),
      STORE_TIMEOUT_MS,
      false,
    );
    if (!buried) return refusal('http.overloaded', 'The end of the session could not be recorded.');
    // Pods that have it open answer from memory: none of them may after this answer.
    await deps.states.heard(session);
    ctx.response.statusCode = 204;
    ctx.response.end();
    void closeUpstreamSessions(deps, ctx, session);
    return ANSWERED;
  };
}

async function closeUpstreamSessions(deps: DeleteSessionDeps, ctx: CallContext, session: ClientSession): Promise<void> {
  const owner = { userId: session.userId, clientSession: session };
  for (const { session: found, upstream } of await sessionsInUse(deps, ctx, session)) {
    try {
      await deps.sessions.forget(upstream, owner);
      await closeSession(upstream, found);
    } catch (error) {
      deps.logger.warn({ err: error, server: upstream.server.slug }, 'cannot end an upstream session');
    }
  }
}
