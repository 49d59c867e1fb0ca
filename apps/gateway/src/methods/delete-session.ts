import { refusal } from '@patchbay/errors';
import { within } from '../directory/within.ts';
import { ANSWERED, type CallContext, type Outcome, type Step } from '../pipeline/context.ts';
import type { ClientSession } from '../sessions/client-session.ts';
import type { Tombstones } from '../sessions/tombstones.ts';
import type { CompiledServer } from '../snapshot/compiled.ts';
import { closeSession } from '../upstream/open-session.ts';
import { type ReachDeps, reach } from '../upstream/reach.ts';
import type { SessionRegistry } from '../upstream/session-registry.ts';

export type DeleteSessionDeps = ReachDeps & {
  readonly tombstones: Pick<Tombstones, 'bury'>;
  readonly sessions: Pick<SessionRegistry, 'find' | 'forget'>;
  readonly logger: { warn(fields: object, message: string): void };
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
    ctx.response.statusCode = 204;
    ctx.response.end();
    void closeUpstreamSessions(deps, ctx, session);
    return ANSWERED;
  };
}

async function closeUpstreamSessions(deps: DeleteSessionDeps, ctx: CallContext, session: ClientSession): Promise<void> {
  const owner = { userId: session.userId, clientSession: session };
  for (const server of legacyServers(ctx)) {
    try {
      const upstream = await reach(deps, ctx, server);
      if ('code' in upstream) continue;
      const found = await deps.sessions.find(upstream, owner);
      if (found === null) continue;
      await deps.sessions.forget(upstream, owner);
      await closeSession(upstream, found);
    } catch (error) {
      deps.logger.warn({ err: error, server: server.slug }, 'cannot end an upstream session');
    }
  }
}

/** On the aggregated endpoint any of them may have been used, by whichever pod. */
function legacyServers({ endpointServer, snapshot }: CallContext): readonly CompiledServer[] {
  const servers = endpointServer === null ? [...(snapshot?.serversBySlug.values() ?? [])] : [endpointServer];
  return servers.filter(({ catalogue }) => catalogue?.era === 'legacy');
}
