import { exposedUri } from '@patchbay/mcp-wire';
import type { CallContext } from '../pipeline/context.ts';
import type { Bridge } from '../upstream/bridge/bridge.ts';
import type { UpstreamTarget } from '../upstream/bridge/make-bridge.ts';
import { exposedEventId, exposeRequest, exposeWithdrawal } from '../upstream/bridge/server-requests.ts';
import { withoutContext } from '../upstream/sampling.ts';
import { type Expose, exposeInputRequests, exposeUris } from './expose-uris.ts';

/** The bridge of a call on the aggregated endpoint, where a server's URIs have other names; on its own endpoint the bridge as it is. */
export function exposeOnAggregate(ctx: CallContext, target: UpstreamTarget, bridge: Bridge): Bridge {
  if (ctx.endpointServer !== null) return bridge;
  const expose = exposeFor(ctx, target);
  return {
    ...bridge,
    // Names stand anywhere in an answer, so it is held.
    isVerbatim: false,
    eventId: bridge.eventId === null ? null : (id) => exposedEventId(target.server.slug, id),
    request(bytes, message) {
      const asked = bridge.request(bytes, message);
      if (asked === null) return null;
      const exposed = exposeUris(exposeRequest(asked, message, target.server.slug), message, expose);
      return ctx.session === null ? exposed : withoutContext(exposed, message, ctx.session);
    },
    answer(bytes, message) {
      const answer = bridge.answer(bytes, message);
      if ('code' in answer) return answer;
      return 'requests' in answer ? exposeInputRequests(answer, expose) : exposeUris(answer, message, expose);
    },
    notification(bytes, message) {
      const carried = bridge.notification(bytes, message);
      return carried === null ? null : exposeUris(exposeWithdrawal(carried, message, target.server.slug), message, expose);
    },
  };
}

/** What the client asked for keeps the client's spelling, so that who asks with a bare URI finds it in the answer. */
function exposeFor({ message }: CallContext, { server, upstreamName }: UpstreamTarget): Expose {
  const asked = message?.uri ?? null;
  return (original) => (asked !== null && original === (upstreamName ?? asked) ? asked : exposedUri(server.slug, original));
}
