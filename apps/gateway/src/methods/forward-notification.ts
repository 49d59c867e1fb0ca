import { type Edit, sliceMember, type Span, splice } from '@patchbay/mcp-wire';
import type { Refusal } from '@patchbay/errors';
import { isPermitted } from '../aggregate/is-permitted.ts';
import { ANSWERED, type CallContext, type Outcome, type Step } from '../pipeline/context.ts';
import { respondAccepted } from '../pipeline/respond.ts';
import type { ClientSession } from '../sessions/client-session.ts';
import type { CompiledServer } from '../snapshot/compiled.ts';
import { readExposedId } from '../upstream/bridge/server-requests.ts';
import { edgeEra } from '../upstream/edge-era.ts';
import type { InFlight } from '../upstream/in-flight.ts';
import { notify } from '../upstream/open-session.ts';
import { reach } from '../upstream/reach.ts';
import { isOurId } from '../upstream/rounds/question-ids.ts';
import { sessionsInUse, type SessionsInUseDeps } from '../upstream/sessions-in-use.ts';

export type ForwardNotificationDeps = SessionsInUseDeps & {
  readonly inFlight: Pick<InFlight, 'cancel' | 'cancelElsewhere'>;
  /** What a client responds to a question of ours. */
  readonly takeAnswer: Step;
};

/**
 * Takes what a client says that is not a request: notifications, and its responses to what servers asked it, which go to the session that
 * asked, from any pod. A notification is answered with 202 whatever becomes of it, as the transport has it; a response that cannot be
 * handed on is refused, because somebody waits for it.
 */
export function makeForwardNotification(deps: ForwardNotificationDeps): Step {
  return function forwardNotification(ctx: CallContext): Outcome | Promise<Outcome> {
    const { endpointServer, era, message, session } = ctx;
    // A modern client has neither sessions nor responses, and cancels by closing its stream.
    if (era !== 'legacy' || session === null || message === null) return accept(ctx);
    if (message.kind === 'response' && isOurId(message.id)) return deps.takeAnswer(ctx);
    const cancelled = message.method === 'notifications/cancelled' ? message.requestId : null;
    // Its call tells the server itself.
    if (cancelled !== null && deps.inFlight.cancel(session.key, cancelled)) return accept(ctx);
    const passed =
      endpointServer === null ? sort(deps, ctx, session) : passOn(deps, ctx, { server: endpointServer, session, body: ctx.body });
    // The call may wait on another pod. Its server is told as well, for it knows the call by the same id: that pod may be gone.
    const elsewhere = cancelled === null ? null : deps.inFlight.cancelElsewhere(session.key, cancelled);
    return Promise.all([passed, elsewhere]).then(([refused]) => (refused !== null && message.kind === 'response' ? refused : accept(ctx)));
  };
}

function accept(ctx: CallContext): Outcome {
  respondAccepted(ctx);
  return ANSWERED;
}

type Passing = { readonly server: CompiledServer; readonly session: ClientSession; readonly body: Buffer };

/** To the server's session, if there is one: what belongs to a session that is gone is nobody's. */
async function passOn(deps: ForwardNotificationDeps, ctx: CallContext, { body, server, session }: Passing): Promise<Refusal | null> {
  if (edgeEra(server, session) === 'modern') return null;
  const upstream = await reach(deps, ctx, server);
  if ('code' in upstream) return upstream;
  const found = await deps.sessions.find(upstream, { userId: session.userId, clientSession: session });
  if (found === null) return null;
  const notified = await notify(upstream, found, body);
  return 'code' in notified ? notified : null;
}

/** What all servers of an aggregated session may want to know. Elsewhere than on a server's own endpoint we sent `initialized` ourselves. */
const FOR_ALL: ReadonlySet<string> = new Set(['notifications/cancelled', 'notifications/roots/list_changed']);

/** On the aggregated endpoint an id or token says whose it is; what has neither is for all servers in use, or for nobody. */
async function sort(deps: ForwardNotificationDeps, ctx: CallContext, session: ClientSession): Promise<Refusal | null> {
  const { body, message, snapshot } = ctx;
  const owned = ownedBy(ctx);
  if (owned !== null) {
    const server = snapshot?.serversBySlug.get(owned.slug);
    if (server === undefined || !isPermitted(ctx, server, { kind: 'server', name: server.slug })) return null;
    return passOn(deps, ctx, { server, session, body: splice(body, [owned.edit]) });
  }
  if (message === null || !FOR_ALL.has(message.method)) return null;
  const inUse = await sessionsInUse(deps, ctx, session);
  await Promise.all(inUse.map(({ session: found, upstream }) => notify(upstream, found, body)));
  return null;
}

/** Whose response or progress it is, and how to give the server back its own id or token. */
function ownedBy({ body, message }: CallContext): { readonly slug: string; readonly edit: Edit } | null {
  if (message === null) return null;
  const [id, span] = message.kind === 'response' ? [message.id, message.idSpan] : progressOf(body, message.method);
  const owned = readExposedId(id);
  return owned === null || span === null ? null : { slug: owned.slug, edit: { ...span, replacement: owned.own } };
}

function progressOf(body: Buffer, method: string): readonly [string | null, Span | null] {
  const span = method === 'notifications/progress' ? sliceMember(body, ['params', 'progressToken']) : null;
  const token: unknown = span === null ? null : JSON.parse(body.toString('utf8', span.start, span.end));
  return [typeof token === 'string' ? token : null, span];
}
