import { type Refusal, refusal } from '@patchbay/errors';
import { exposeStream } from '../aggregate/expose-stream.ts';
import { isPermitted } from '../aggregate/is-permitted.ts';
import { SessionStreams, type SessionStreamsDeps } from '../aggregate/session-streams.ts';
import { readPositions, type StreamPositions } from '../aggregate/stream-positions.ts';
import { within } from '../directory/within.ts';
import { ANSWERED, type CallContext, type Outcome, type Step } from '../pipeline/context.ts';
import type { ClientStreams } from '../streams/client-streams.ts';
import { ForwardedStream } from '../streams/forwarded-stream.ts';
import { ALL_OF_IT, AS_IT_IS, type Guard, guarded, type StreamView, tellingOfLists } from '../streams/stream-view.ts';
import { type StreamOwner, streamOwnerOf, type Subscribed } from '../streams/stream-owner.ts';
import { SessionSubscriptions, type SessionSubscriptionsDeps } from '../subscriptions/session-subscriptions.ts';
import { readExposedEventId } from '../upstream/bridge/server-requests.ts';
import type { CompiledServer } from '../snapshot/compiled.ts';
import { edgeEra } from '../upstream/edge-era.ts';
import { streamHeaders } from '../upstream/headers.ts';
import { refuseBroken, refuseFailure } from '../upstream/judge.ts';
import { notify } from '../upstream/open-session.ts';
import { reach } from '../upstream/reach.ts';
import { isOurId } from '../upstream/rounds/question-ids.ts';
import type { SessionOwner, SessionRegistry, UpstreamSession } from '../upstream/session-registry.ts';
import { lastingUpstream, type Upstream } from '../upstream/upstreams.ts';
import type { makeResumeCall } from './resume-call.ts';

export type OpenStreamDeps = SessionSubscriptionsDeps &
  SessionStreamsDeps & {
    readonly sessions: Pick<SessionRegistry, 'current' | 'replace'>;
    readonly streams: ClientStreams;
    /** For who lost the stream of a call that we ask questions on. */
    readonly resumeCall: ReturnType<typeof makeResumeCall>;
  };

type Opening = {
  readonly upstream: Upstream;
  readonly owner: SessionOwner;
  readonly forwarded: ForwardedStream;
  readonly view: StreamView;
  readonly lastEventId: string | null;
};

/**
 * The stream that a client with a session asks for by GET. On a legacy server's own endpoint it is the server's: events, positions and
 * `Last-Event-ID` pass unchanged. That a list changed is told on it by us, there and everywhere. Returns when the stream stands; it lasts
 * until one side ends it, this pod stops, or its owner may not have it any more.
 */
export function makeOpenStream(deps: OpenStreamDeps): Step {
  return async function openStream(ctx: CallContext): Promise<Outcome> {
    const { response, serverSlug: server, session } = ctx;
    if (session === null) return refusal('internal');
    let takeOut = (): void => undefined;
    const subscribed: Subscribed[] = [];
    const used: Subscribed[] = [];
    const owner = {
      ...streamOwnerOf(ctx),
      get subscribed() {
        return [...subscribed, ...used];
      },
    };
    const subscriptions = new SessionSubscriptions(deps, { owner, session, subscribed, tell: (message) => forwarded.stream.tell(message) });
    const forwarded = new ForwardedStream(response, {
      over(why) {
        takeOut();
        subscriptions.close();
        if (why === 'crashed') deps.logger.warn({ server }, 'a stream could not be forwarded');
      },
    });
    const admitted = deps.streams.add({
      owner,
      listsChanged(lists) {
        for (const list of lists) forwarded.stream.tell(`{"jsonrpc":"2.0","method":"notifications/${list}/list_changed"}`);
      },
      end: () => forwarded.end(),
    });
    if (typeof admitted === 'function') takeOut = admitted;
    const refused = typeof admitted === 'function' ? await openFor(deps, ctx, { forwarded, subscriptions, owner, used }) : admitted;
    if (refused === undefined) {
      // Its client may have left before anybody heard of it.
      if (response.destroyed) forwarded.end();
      return ANSWERED;
    }
    forwarded.stream.release();
    subscriptions.close();
    takeOut();
    if (!response.destroyed) return refused;
    ctx.outcome = 'cancelled';
    return ANSWERED;
  };
}

const STAND_MS = 2_000;

type Parts = {
  readonly forwarded: ForwardedStream;
  readonly subscriptions: SessionSubscriptions;
  readonly owner: StreamOwner;
  /** Of the owner's `subscribed`: the servers whose general streams it is told of. */
  readonly used: Subscribed[];
};

async function openFor(deps: OpenStreamDeps, ctx: CallContext, parts: Parts): Promise<Refusal | undefined> {
  const { forwarded, subscriptions } = parts;
  const { endpointServer } = ctx;
  const lastEventId = ctx.request.headers['last-event-id']?.toString();
  if (isOurId(lastEventId)) return deps.resumeCall(ctx, forwarded.stream, lastEventId);
  if (endpointServer === null) {
    const positions = lastEventId === undefined ? new Map<string, string>() : readPositions(lastEventId);
    return positions === null ? resumeOnAggregate(deps, ctx, forwarded) : openOnAggregate(deps, ctx, { ...parts, positions });
  }
  if (edgeEra(endpointServer, ctx.session) === 'modern') return openWhenStanding(forwarded, [subscriptions.open()]);
  const upstream = await reach(deps, ctx, endpointServer);
  if ('code' in upstream) return upstream;
  const view = guarded(viewOf(endpointServer, forwarded), guardOf(deps, ctx, endpointServer));
  return openOnSession(deps, { upstream, forwarded, owner: ownerOf(ctx), view, lastEventId: lastEventId ?? null });
}

function viewOf({ catalogueMode }: CompiledServer, { stream }: ForwardedStream): StreamView {
  if (catalogueMode === 'live') return ALL_OF_IT;
  return catalogueMode === 'per-credential' ? tellingOfLists(AS_IT_IS, stream) : AS_IT_IS;
}

/** A server that is slow holds up what it has to say itself, and not what else the stream is for. */
async function openWhenStanding(forwarded: ForwardedStream, opening: readonly Promise<void>[]): Promise<undefined> {
  await within(Promise.all(opening), STAND_MS, undefined);
  if (!forwarded.stream.isGone) forwarded.openSilent();
}

function openOnAggregate(
  deps: OpenStreamDeps,
  { session }: CallContext,
  { forwarded, positions, owner, subscriptions, used }: Parts & { readonly positions: StreamPositions },
): Promise<Refusal | undefined> | Refusal {
  if (session === null) return refusal('internal');
  const streams = new SessionStreams(deps, { owner, session, used, stream: forwarded.stream, positions });
  forwarded.carry(streams);
  return openWhenStanding(forwarded, [subscriptions.open(), streams.open()]);
}

/** The rest of one server's stream, whose position says whose it is. */
async function resumeOnAggregate(deps: OpenStreamDeps, ctx: CallContext, forwarded: ForwardedStream): Promise<Refusal | undefined> {
  const position = readExposedEventId(ctx.request.headers['last-event-id']?.toString() ?? '');
  const server = position === null ? undefined : ctx.snapshot?.serversBySlug.get(position.slug);
  if (position === null || server === undefined || edgeEra(server, ctx.session) === 'modern') return refusal('stream.position');
  if (!isPermitted(ctx, server, { kind: 'server', name: server.slug })) return refusal('stream.position');
  const upstream = await reach(deps, ctx, server);
  if ('code' in upstream) return upstream;
  const view = guarded(exposeStream(server), guardOf(deps, ctx, server));
  return openOnSession(deps, { upstream, forwarded, owner: ownerOf(ctx), view, lastEventId: position.id });
}

function guardOf(
  { ownOrigin, snapshots, unasked }: OpenStreamDeps,
  { session, snapshot }: CallContext,
  { id, slug }: CompiledServer,
): Guard {
  if (session === null) throw new TypeError('a call without a session has no stream');
  const organisationSlug = snapshot?.organisationSlug ?? '';
  const server = { id, slug };
  return {
    ...{ ownOrigin, session },
    sampling: () => snapshots.current(organisationSlug)?.serversById.get(id)?.sampling ?? 'refused',
    admits: (message) => unasked.admits({ organisationSlug, server }, message),
  };
}

function ownerOf({ principal, session }: CallContext): SessionOwner {
  if (principal === null || session === null) throw new TypeError('a call without a principal has no session');
  return { userId: principal.userId, clientSession: session };
}

/** A session that the server no longer knows is replaced once; the new one has nothing to be resumed. */
async function openOnSession(deps: OpenStreamDeps, opening: Opening): Promise<Refusal | undefined> {
  const { lastEventId, owner, upstream } = opening;
  const first = await deps.sessions.current(upstream, owner);
  if ('code' in first) return first;
  const stood = await attempt(opening, first, lastEventId);
  if (stood !== 404 && stood !== 'gone') return conclude(opening, stood, lastEventId !== null);
  const second = await deps.sessions.replace(upstream, owner, first);
  if ('code' in second) return second;
  return conclude(opening, await attempt(opening, second, null), false);
}

async function attempt({ forwarded, upstream, view }: Opening, session: UpstreamSession, lastEventId: string | null) {
  const way = upstream.ways.to(session);
  if (way === null) return 'gone';
  const headers = streamHeaders(upstream, session, lastEventId);
  const lasting = lastingUpstream(upstream);
  const answer = (response: string): void => void notify(lasting, session, response);
  return forwarded.open({ pool: way.streams(), path: way.path, headers, timeoutMs: upstream.server.timeouts.requestMs }, { view, answer });
}

type Stood = Awaited<ReturnType<typeof attempt>>;

/** A server without a stream of its own may have nothing to say; we may have (list changes), so the client's stream stands all the same. */
function conclude({ forwarded, upstream }: Opening, stood: Stood, isResumption: boolean): Refusal | undefined {
  const { slug } = upstream.server;
  if (stood === true) return undefined;
  if (stood === 405 && !isResumption) {
    forwarded.openSilent();
    return undefined;
  }
  if (stood === 401 || stood === 403) return refusal('upstream.refused', `Server "${slug}" answered HTTP ${stood}.`);
  if (stood === 409) return refusal('stream.taken');
  if (isResumption && (stood === 400 || stood === 405)) return refusal('stream.position');
  if (stood === 404 || stood === 'gone') return refuseFailure('cut', slug);
  return typeof stood === 'number' ? refuseBroken(slug, `answered HTTP ${stood} to a request for its stream`) : refuseFailure(stood, slug);
}
