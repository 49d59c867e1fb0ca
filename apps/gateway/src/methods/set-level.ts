import { type Refusal, refusal } from '@patchbay/errors';
import { sliceMember } from '@patchbay/mcp-wire';
import { ANSWERED, type CallContext, type Outcome, type Step } from '../pipeline/context.ts';
import { respondJson, respondResult } from '../pipeline/respond.ts';
import type { ClientSession } from '../sessions/client-session.ts';
import type { SessionStates } from '../sessions/session-states.ts';
import type { CompiledServer } from '../snapshot/compiled.ts';
import type { Asked } from '../upstream/ask.ts';
import { askInSession } from '../upstream/open-session.ts';
import { LOG_LEVELS } from '../upstream/asking/declared.ts';
import { edgeEra } from '../upstream/edge-era.ts';
import { reach } from '../upstream/reach.ts';
import type { SessionRegistry } from '../upstream/session-registry.ts';
import { sessionsInUse, type SessionsInUseDeps } from '../upstream/sessions-in-use.ts';

export type SetLevelDeps = SessionsInUseDeps & {
  readonly sessions: Pick<SessionRegistry, 'current' | 'replace'>;
  readonly states: Pick<SessionStates, 'change'>;
};

/**
 * `logging/setLevel` holds for the session: on a legacy server's own endpoint the server judges it; elsewhere it goes to the servers in
 * use. It is recorded for those that are opened later or again, and answered when every pod knows it.
 */
export function makeSetLevel(deps: SetLevelDeps): Step {
  return async function setLevel(ctx: CallContext): Promise<Outcome> {
    const { endpointServer, session } = ctx;
    if (session === null) return refusal('rpc.method_unknown', 'A log level belongs to a session.');
    const level = levelOf(ctx);
    if (level === null) return refusal('rpc.params', 'params.level is not a log level.');
    const isTheServers = endpointServer !== null && edgeEra(endpointServer, session) === 'legacy';
    const asked = isTheServers ? await askServer(deps, ctx, { server: endpointServer, session }) : null;
    if (asked !== null && 'code' in asked) return asked;
    if (asked === null || sliceMember(asked.body, ['error']) === null) await deps.states.change(session, (state) => ({ ...state, level }));
    if (asked !== null) {
      respondJson(ctx, 200, asked.body);
      return ANSWERED;
    }
    await tellServers(deps, ctx, session);
    respondResult(ctx, '{}');
    return ANSWERED;
  };
}

function levelOf({ body, message }: CallContext): string | null {
  const span = message === null || message.paramsSpan === null ? null : sliceMember(body, ['params', 'level']);
  const level: unknown = span === null ? null : JSON.parse(body.toString('utf8', span.start, span.end));
  return typeof level === 'string' && LOG_LEVELS.has(level) ? level : null;
}

type Forwarded = { readonly server: CompiledServer; readonly session: ClientSession };

/** The client's own bytes; sent again to a session that took the place of a lost one. */
async function askServer(deps: SetLevelDeps, ctx: CallContext, { server, session }: Forwarded): Promise<Asked | Refusal> {
  const upstream = await reach(deps, ctx, server);
  if ('code' in upstream) return upstream;
  const owner = { userId: session.userId, clientSession: session };
  const request = { body: ctx.body, id: ctx.message?.id ?? 0 };
  const found = await deps.sessions.current(upstream, owner);
  if ('code' in found) return found;
  const asked = await askInSession(upstream, found, request);
  if ('code' in asked ? asked.code !== 'session.gone' : asked.status !== 404) return asked;
  const replaced = await deps.sessions.replace(upstream, owner, found);
  return 'code' in replaced ? replaced : askInSession(upstream, replaced, request);
}

/** A server that does not take it is none the worse, and neither is the client. */
async function tellServers(deps: SetLevelDeps, ctx: CallContext, session: ClientSession): Promise<void> {
  const inUse = await sessionsInUse(deps, ctx, session);
  const request = { body: ctx.body, id: ctx.message?.id ?? 0 };
  await Promise.all(
    inUse
      .filter(({ upstream }) => upstream.server.catalogue?.capabilities['logging'] !== undefined)
      .map(({ session: found, upstream }) => askInSession(upstream, found, request)),
  );
}
