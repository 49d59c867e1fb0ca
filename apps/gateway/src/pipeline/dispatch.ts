import type { AskingDeps } from '../upstream/asking/asking.ts';
import { beginAsking } from '../upstream/asking/begin-asking.ts';
import { NOTHING_DECLARED } from '../upstream/asking/declared.ts';
import { type CallDeps, UpstreamCall } from '../upstream/call.ts';
import { checkParams } from '../upstream/param-headers.ts';
import type { SessionOwner } from '../upstream/session-registry.ts';
import type { ResolveUpstream } from '../upstream/upstreams.ts';
import { ANSWERED, type CallContext, type Outcome, type Step } from './context.ts';
import { respondJson } from './respond.ts';

export type DispatchDeps = CallDeps & { readonly asking: AskingDeps; readonly resolveUpstream: ResolveUpstream };

/** Sends the call to its server and streams the answer back: one attempt, two where nothing was sent. */
export function makeDispatch({ asking: askingDeps, resolveUpstream, ...deps }: DispatchDeps): Step {
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
    return new UpstreamCall(deps, { ctx, message, target, upstream, owner, asking }).run();
  };
}
