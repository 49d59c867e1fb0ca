import type { CallContext } from '../pipeline/context.ts';
import type { ClientSession } from '../sessions/client-session.ts';
import type { CompiledServer } from '../snapshot/compiled.ts';
import { edgeEra } from './edge-era.ts';
import { type ReachDeps, reach } from './reach.ts';
import type { SessionRegistry, UpstreamSession } from './session-registry.ts';
import type { Upstream } from './upstreams.ts';

export type SessionsInUseDeps = ReachDeps & {
  readonly sessions: Pick<SessionRegistry, 'find'>;
  readonly logger: { warn(fields: object, message: string): void };
};

/** An upstream session that a client's session has opened, on whichever pod. */
export type SessionInUse = { readonly upstream: Upstream; readonly session: UpstreamSession };

/** All of them at the call's endpoint; opens none. Asks the store about each server that this pod has not used: for what is rare. Never rejects. */
export async function sessionsInUse(deps: SessionsInUseDeps, ctx: CallContext, clientSession: ClientSession): Promise<SessionInUse[]> {
  const found = await Promise.all(serversWithSessions(ctx, clientSession).map((server) => sessionAt(deps, ctx, { clientSession, server })));
  return found.filter((each) => each !== null);
}

type At = { readonly clientSession: ClientSession; readonly server: CompiledServer };

async function sessionAt(deps: SessionsInUseDeps, ctx: CallContext, { clientSession, server }: At): Promise<SessionInUse | null> {
  try {
    const upstream = await reach(deps, ctx, server);
    if ('code' in upstream) return null;
    const session = await deps.sessions.find(upstream, { userId: clientSession.userId, clientSession });
    return session === null ? null : { upstream, session };
  } catch (error) {
    deps.logger.warn({ err: error, server: server.slug }, 'cannot look for an upstream session');
    return null;
  }
}

function serversWithSessions({ endpointServer, snapshot }: CallContext, session: ClientSession): readonly CompiledServer[] {
  const servers = endpointServer === null ? [...(snapshot?.serversBySlug.values() ?? [])] : [endpointServer];
  return servers.filter((server) => edgeEra(server, session) === 'legacy' && server.catalogue !== null);
}
