import type { AskingDeps } from '../upstream/asking/asking.ts';
import { beginAsking } from '../upstream/asking/begin-asking.ts';
import { NOTHING_DECLARED } from '../upstream/asking/declared.ts';
import { type CallDeps, UpstreamCall } from '../upstream/call.ts';
import { edgeEra } from '../upstream/edge-era.ts';
import { checkParams } from '../upstream/param-headers.ts';
import type { UpstreamTarget } from '../upstream/bridge/make-bridge.ts';
import type { ClientSession } from '../sessions/client-session.ts';
import { type SessionState, type SessionStates, UNCHANGED } from '../sessions/session-states.ts';
import { subscriptionEdit } from '../sessions/subscriptions.ts';
import type { SessionOwner } from '../upstream/session-registry.ts';
import type { ResolveUpstream } from '../upstream/upstreams.ts';
import { ANSWERED, type CallContext, type Outcome, type Step } from './context.ts';
import { respondJson } from './respond.ts';

export type DispatchDeps = CallDeps & {
  readonly asking: AskingDeps;
  readonly resolveUpstream: ResolveUpstream;
  readonly states: Pick<SessionStates, 'change' | 'current'>;
};

/** Sends the call to its server and streams the answer back: one attempt, two where nothing was sent. */
export function makeDispatch({ asking: askingDeps, resolveUpstream, states, ...deps }: DispatchDeps): Step {
  return function dispatch(ctx: CallContext): Outcome | Promise<Outcome> {
    const { message, principal, session, snapshot, target } = ctx;
    if (target?.kind !== 'upstream' || message === null || principal === null || snapshot === null) return undefined;
    if (ctx.era === 'modern' && message.method === 'tools/call') {
      const mismatch = checkParams({ server: target.server, tool: target.object.name, body: ctx.body, message }, ctx.request.headers);
      if (mismatch !== null) return mismatch;
    }
    const upstream = resolveUpstream(snapshot, target.server, { userId: principal.userId, credential: ctx.upstreamHeaders });
    if ('code' in upstream) return upstream;
    const asking = ctx.era === 'modern' && target.server.catalogue?.era === 'legacy' ? beginAsking(askingDeps, ctx, target) : null;
    if (asking !== null && 'code' in asking) return asking;
    if (asking !== null && 'answer' in asking) {
      respondJson(ctx, 200, asking.answer);
      return ANSWERED;
    }
    const { userId } = principal;
    const owner: SessionOwner =
      session === null
        ? { userId, clientSession: null, declared: asking?.declared ?? NOTHING_DECLARED }
        : { userId, clientSession: session };
    const run = ({ level }: SessionState): Promise<Outcome> =>
      new UpstreamCall(deps, { ctx, message, target, upstream, owner, asking, level }).run();
    const state = session === null ? UNCHANGED : stateFor(states, session, target, message.method);
    return state instanceof Promise ? state.then(run) : run(state);
  };
}

/** What of the session this call needs: a subscription is recorded first, so that no session is opened again without it; a modern server is told the level with each request. */
function stateFor(
  states: DispatchDeps['states'],
  session: ClientSession,
  { object, server }: UpstreamTarget,
  method: string,
): SessionState | Promise<SessionState> {
  const edit = subscriptionEdit(method, { serverId: server.id, uri: object.name, spelled: object.name });
  if (edit !== null) return states.change(session, edit).then(() => UNCHANGED);
  return edgeEra(server, session) === 'modern' ? states.current(session) : UNCHANGED;
}
