import { type CallDeps, UpstreamCall } from '../upstream/call.ts';
import { checkParams } from '../upstream/param-headers.ts';
import type { ResolveUpstream } from '../upstream/upstreams.ts';
import type { CallContext, Outcome, Step } from './context.ts';

export type DispatchDeps = CallDeps & { readonly resolveUpstream: ResolveUpstream };

/** Sends the call to its server and streams the answer back: one attempt, two where nothing was sent. */
export function makeDispatch({ resolveUpstream, ...deps }: DispatchDeps): Step {
  return function dispatch(ctx: CallContext): Outcome | Promise<Outcome> {
    const { message, principal, session, snapshot, target } = ctx;
    if (target?.kind !== 'upstream' || message === null || principal === null || snapshot === null) return undefined;
    if (ctx.era === 'modern' && target.object.kind === 'tool') {
      const mismatch = checkParams({ server: target.server, tool: target.object.name, body: ctx.body, message }, ctx.request.headers);
      if (mismatch !== null) return mismatch;
    }
    const upstream = resolveUpstream(snapshot, target.server, ctx.upstreamHeaders);
    if ('code' in upstream) return upstream;
    return new UpstreamCall(deps, { ctx, message, target, upstream, owner: { userId: principal.userId, clientSession: session } }).run();
  };
}
