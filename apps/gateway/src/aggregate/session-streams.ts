import type { Sampling, ServerId } from '@patchbay/contracts';
import type { SseEvent } from '@patchbay/mcp-wire';
import { decide } from '@patchbay/policy';
import type { ClientSession } from '../sessions/client-session.ts';
import type { SessionState, SessionStates } from '../sessions/session-states.ts';
import type { CompiledServer, CompiledSnapshot } from '../snapshot/compiled.ts';
import { carryEvent } from '../streams/carry-event.ts';
import type { ClientStream, EventPosition } from '../streams/client-stream.ts';
import { ServerStream, type StreamPlace } from '../streams/server-stream.ts';
import type { StreamOwner, Subscribed } from '../streams/stream-owner.ts';
import type { StreamShares } from '../streams/stream-shares.ts';
import { type Guard, guarded, type StreamView, tellingOfLists } from '../streams/stream-view.ts';
import type { UpstreamStreamRequest } from '../streams/upstream-stream.ts';
import { edgeEra } from '../upstream/edge-era.ts';
import { streamHeaders } from '../upstream/headers.ts';
import { notify } from '../upstream/open-session.ts';
import { type ReachDeps, reach } from '../upstream/reach.ts';
import type { SessionRegistry, UpstreamSession } from '../upstream/session-registry.ts';
import type { Upstream } from '../upstream/upstreams.ts';
import type { UnaskedLimits } from '../upstream/unasked-limits.ts';
import { exposeStream } from './expose-stream.ts';
import { positionsText, type StreamPositions } from './stream-positions.ts';

export type SessionStreamsDeps = ReachDeps & {
  readonly sessions: Pick<SessionRegistry, 'find'>;
  readonly states: Pick<SessionStates, 'current' | 'watch'>;
  /** What the organisation's calls go by now: a stream lasts longer than the snapshot that it was opened under. */
  readonly snapshots: { current(organisationSlug: string): CompiledSnapshot | undefined };
  readonly shares: StreamShares;
  readonly unasked: UnaskedLimits;
  /** Of the pages that only we may send people to. */
  readonly ownOrigin: string;
  readonly logger: { warn(fields: object, message: string): void };
};

/** A client's stream at the aggregated endpoint. */
export type AggregateStream = {
  readonly owner: StreamOwner;
  readonly session: ClientSession;
  /** Kept to the servers that the stream is of. */
  readonly used: Subscribed[];
  readonly stream: ClientStream;
  /** Where the client says that it stands. */
  readonly positions: StreamPositions;
};

type Located = { readonly upstream: Upstream; readonly session: UpstreamSession };
/** `opening`: of the session that the stream is of. */
type Used = { readonly opening: string; readonly stream: ServerStream; readonly giveBack: () => void };
type Wanted = { readonly opening: string; readonly server: CompiledServer };

const UPDATED = 'notifications/resources/updated';

/**
 * What the legacy servers that a session uses say outside of its calls, on the one stream that its client holds: of each the general stream
 * of the session with it, from when a call has opened that one, on whichever pod. Servers that the session does not use cost nothing.
 */
export class SessionStreams {
  readonly #deps: SessionStreamsDeps;
  readonly #input: AggregateStream;
  readonly #used = new Map<ServerId, Used>();
  /** By server and URI: what a subscription tells of, and the stream does not. */
  #subscribed: ReadonlySet<string> = new Set();
  #unwatch: () => void = () => undefined;
  /** How often there was something to follow. */
  #changes = 0;
  #isOver = false;

  constructor(deps: SessionStreamsDeps, input: AggregateStream) {
    this.#deps = deps;
    this.#input = input;
  }

  /** Resolves when each of them stands, or cannot stand for now. Never rejects. */
  open(): Promise<void> {
    this.#unwatch = this.#deps.states.watch(this.#input.session, () => this.#follow());
    return this.#follow();
  }

  pause(): void {
    for (const { stream } of this.#used.values()) stream.pause();
  }

  resume(): void {
    for (const { stream } of this.#used.values()) stream.resume();
  }

  close(): void {
    this.#isOver = true;
    this.#unwatch();
    for (const id of [...this.#used.keys()]) this.#drop(id);
  }

  #follow(): Promise<void> {
    this.#changes += 1;
    return this.#openAll().catch((error: unknown) =>
      this.#deps.logger.warn({ err: error }, 'cannot follow the servers that a session uses'),
    );
  }

  async #openAll(): Promise<void> {
    const { owner, used } = this.#input;
    const { servers, subscriptions } = await this.#newest();
    const snapshot = this.#deps.snapshots.current(owner.organisationSlug);
    if (this.#isOver || snapshot === undefined) return;
    this.#subscribed = new Set(subscriptions.map(({ serverId, uri }) => `${serverId} ${uri}`));
    const wanted = servers.flatMap(({ opening, serverId }) => {
      const server = this.#permitted(snapshot, serverId);
      return server === null ? [] : [{ opening, server }];
    });
    used.splice(
      0,
      used.length,
      ...wanted.map(({ server: { id, slug } }) => ({ serverId: id, object: { kind: 'server' as const, name: slug } })),
    );
    for (const id of [...this.#used.keys()]) if (!wanted.some(({ server }) => server.id === id)) this.#drop(id);
    await Promise.all(wanted.flatMap((each) => this.#streamOf(each)?.open() ?? []));
  }

  /** What has changed while it was read is read again: an older state must not undo a newer one. */
  async #newest(): Promise<SessionState> {
    for (;;) {
      const changes = this.#changes;
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const state = await this.#deps.states.current(this.#input.session);
      if (changes === this.#changes) return state;
    }
  }

  /** A server of a session with the client, that its owner may use now. */
  #permitted({ grants, serversById }: CompiledSnapshot, id: ServerId): CompiledServer | null {
    const server = serversById.get(id);
    const { owner, session } = this.#input;
    if (server === undefined || server.catalogue === null || edgeEra(server, session) === 'modern') return null;
    return decide(grants, owner.principal, id, { kind: 'server', name: server.slug }).kind === 'allow' ? server : null;
  }

  #drop(id: ServerId): void {
    const used = this.#used.get(id);
    this.#used.delete(id);
    used?.stream.close();
    used?.giveBack();
  }

  /** null: the organisation has its share. */
  #streamOf({ opening, server: { catalogueMode, id, slug } }: Wanted): ServerStream | null {
    const known = this.#used.get(id);
    if (known?.opening === opening) return known.stream;
    // The server has lost the session that it was of.
    this.#drop(id);
    const giveBack = this.#deps.shares.take(this.#input.session.organisationId);
    if (giveBack === null) return null;
    const { positions, stream: client } = this.#input;
    const exposed = exposeStream({ catalogueMode, slug });
    const told = catalogueMode === 'per-credential' ? tellingOfLists(exposed, client) : exposed;
    const view = this.#withoutSubscribed(id, guarded(told, this.#guardOf({ id, slug })));
    const carrying = { stream: client, view, answer: (response: string) => void this.#answer(id, response) };
    const stream = new ServerStream({
      locate: (useless) => this.#locate(id, useless).catch(() => 'later'),
      event: (event) => {
        if (!carryEvent(event, this.#move(slug, event), carrying)) this.pause();
      },
      lastEventId: known === undefined ? (positions.get(slug) ?? null) : null,
      useless: known?.stream.session ?? null,
    });
    this.#used.set(id, { opening, stream, giveBack });
    return stream;
  }

  #guardOf(server: { readonly id: ServerId; readonly slug: string }): Guard {
    const { owner, session } = this.#input;
    const { ownOrigin, snapshots, unasked } = this.#deps;
    const { organisationSlug } = owner;
    const sampling = (): Sampling => snapshots.current(organisationSlug)?.serversById.get(server.id)?.sampling ?? 'refused';
    return { ownOrigin, session, sampling, admits: (message) => unasked.admits({ organisationSlug, server }, message) };
  }

  /** Where the client stands when it has this event. */
  #move(slug: string, { id }: SseEvent): EventPosition | null {
    const { positions } = this.#input;
    if (id === null) return null;
    positions.delete(slug);
    positions.set(slug, id);
    return { id: positionsText(positions), retry: null };
  }

  #withoutSubscribed(serverId: ServerId, view: StreamView): StreamView {
    const isSubscribed = (uri: string | null): boolean => this.#subscribed.has(`${serverId} ${uri}`);
    return {
      ...view,
      message: (bytes, message) => (message.method === UPDATED && isSubscribed(message.uri) ? null : view.message(bytes, message)),
    };
  }

  async #locate(id: ServerId, useless: UpstreamSession | null): Promise<StreamPlace | 'later' | null> {
    const located = await this.#find(id, useless);
    if (located === null || located === 'later') return located;
    const { session, upstream } = located;
    const way = session.id === null ? null : upstream.ways.to(session);
    if (way === null) return null;
    const timeoutMs = upstream.server.timeouts.requestMs;
    const request = (lastEventId: string | null): UpstreamStreamRequest => {
      return { pool: way.streams(), path: way.path, headers: streamHeaders(upstream, session, lastEventId), timeoutMs };
    };
    return { session, request };
  }

  async #find(id: ServerId, useless: UpstreamSession | null): Promise<Located | 'later' | null> {
    const { owner, session } = this.#input;
    const snapshot = this.#deps.snapshots.current(owner.organisationSlug);
    const server = snapshot === undefined ? null : this.#permitted(snapshot, id);
    if (snapshot === undefined || server === null) return null;
    const upstream = await reach(this.#deps, { principal: owner.principal, snapshot, tokenHash: owner.tokenHash }, server);
    if ('code' in upstream) return 'later';
    const found = await this.#deps.sessions.find(upstream, { userId: session.userId, clientSession: session }, useless);
    if (found !== null) return { upstream, session: found };
    // Of one that is gone the next is heard of when it is opened; else the store may have been away.
    return useless === null ? 'later' : null;
  }

  async #answer(id: ServerId, response: string): Promise<void> {
    const located = await this.#find(id, null).catch(() => null);
    if (located !== null && located !== 'later') await notify(located.upstream, located.session, response);
  }
}
