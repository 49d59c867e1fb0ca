import type { ServerId } from '@patchbay/contracts';
import { exposedUri } from '@patchbay/mcp-wire';
import { decide } from '@patchbay/policy';
import type { ClientSession } from '../sessions/client-session.ts';
import type { SessionStates, Subscription as Recorded } from '../sessions/session-states.ts';
import type { CompiledSnapshot } from '../snapshot/compiled.ts';
import type { StreamOwner, Subscribed } from '../streams/stream-owner.ts';
import { type ReachDeps, reach } from '../upstream/reach.ts';
import { subscribeTo, type Subscription } from './subscribe-to.ts';

export type SessionSubscriptionsDeps = ReachDeps & {
  readonly states: Pick<SessionStates, 'current' | 'watch'>;
  /** What the organisation's calls go by now: a stream lasts longer than the snapshot that it was opened under. */
  readonly snapshots: { current(organisationSlug: string): CompiledSnapshot | undefined };
  readonly logger: { warn(fields: object, message: string): void };
};

export type SubscribingStream = {
  readonly owner: StreamOwner;
  readonly session: ClientSession;
  /** The same array as the owner's `subscribed`: kept to what the stream is told of. */
  readonly subscribed: Subscribed[];
  /** A message for the client. */
  readonly tell: (message: string) => void;
};

type Standing = { readonly uris: string; readonly subscription: Subscription };

const UPDATED = 'notifications/resources/updated';
const AGAIN_MS = 1_000;
const AGAIN_MS_MAX = 60_000;

/**
 * What a session has subscribed to, kept live at its servers for as long as a stream of its client stands on this pod: at the aggregated
 * endpoint, and at servers of revision 2026-07-28, which know no sessions. Follows what the client changes on whichever pod.
 */
export class SessionSubscriptions {
  readonly #deps: SessionSubscriptionsDeps;
  readonly #stream: SubscribingStream;
  readonly #standing = new Map<ServerId, Standing>();
  #following: Promise<void> = Promise.resolve();
  /** Whose updates nobody may have heard since. */
  readonly #unheard = new Set<ServerId>();
  #again: NodeJS.Timeout | null = null;
  #againMs = AGAIN_MS;
  #unwatch: () => void = () => undefined;
  #isOver = false;

  constructor(deps: SessionSubscriptionsDeps, stream: SubscribingStream) {
    this.#deps = deps;
    this.#stream = stream;
  }

  /** Resolves when each of them stands, or was refused by its server. Never rejects. */
  open(): Promise<void> {
    this.#unwatch = this.#deps.states.watch(this.#stream.session, () => this.#follow());
    return this.#follow();
  }

  close(): void {
    this.#isOver = true;
    this.#unwatch();
    if (this.#again !== null) clearTimeout(this.#again);
    for (const { subscription } of this.#standing.values()) subscription.close();
    this.#standing.clear();
  }

  /** One after the other: each goes by what is recorded when it begins. */
  #follow(): Promise<void> {
    this.#following = this.#following.then(() =>
      this.#subscribeAll().catch((error: unknown) =>
        this.#deps.logger.warn({ err: error }, 'cannot follow the subscriptions of a session'),
      ),
    );
    return this.#following;
  }

  async #subscribeAll(): Promise<void> {
    const { owner, session, subscribed } = this.#stream;
    const snapshot = this.#deps.snapshots.current(owner.organisationSlug);
    if (this.#isOver || snapshot === undefined) return;
    const { subscriptions } = await this.#deps.states.current(session);
    const permitted = subscriptions.filter(
      ({ serverId, uri }) => decide(snapshot.grants, owner.principal, serverId, { kind: 'resource', name: uri }).kind === 'allow',
    );
    subscribed.splice(
      0,
      subscribed.length,
      ...permitted.map(({ serverId, uri }) => ({ serverId, object: { kind: 'resource' as const, name: uri } })),
    );
    const wanted = Map.groupBy(permitted, ({ serverId }) => serverId);
    const servers = new Set([...wanted.keys(), ...this.#standing.keys()]);
    await Promise.all([...servers].map((serverId) => this.#subscribeAt(snapshot, serverId, wanted.get(serverId) ?? [])));
  }

  /** The new subscription stands before the old one ends: nothing is missed, though something may be told twice. */
  async #subscribeAt(snapshot: CompiledSnapshot, serverId: ServerId, wanted: readonly Recorded[]): Promise<void> {
    const before = this.#standing.get(serverId);
    const uris = JSON.stringify(wanted.map(({ uri }) => uri).toSorted());
    if (before?.uris === uris) return;
    const subscription = wanted.length === 0 ? null : await this.#subscribe(snapshot, serverId, wanted);
    before?.subscription.close();
    if (subscription === null || this.#isOver) {
      subscription?.close();
      this.#standing.delete(serverId);
    } else {
      this.#standing.set(serverId, { uris, subscription });
      this.#standsAgain(serverId, wanted);
    }
  }

  async #subscribe(snapshot: CompiledSnapshot, serverId: ServerId, wanted: readonly Recorded[]): Promise<Subscription | null> {
    const { owner, tell } = this.#stream;
    const server = snapshot.serversById.get(serverId);
    if (server === undefined || server.catalogue === null) return null;
    const upstream = await reach(this.#deps, { principal: owner.principal, snapshot, tokenHash: owner.tokenHash }, server);
    if ('code' in upstream) return this.#tryAgain(serverId);
    const spelling = new Map(wanted.map(({ spelled, uri }) => [uri, spelled]));
    const spell = (uri: string): string => spelling.get(uri) ?? (owner.serverId === null ? exposedUri(server.slug, uri) : uri);
    const subscription = await subscribeTo({
      upstream,
      filter: { resourceSubscriptions: [...spelling.keys()] },
      clientCapabilities: '{}',
      notified(_bytes, { method, uri }) {
        if (method === UPDATED && uri !== null) tell(JSON.stringify({ jsonrpc: '2.0', method, params: { uri: spell(uri) } }));
      },
      ended: () => {
        this.#standing.delete(serverId);
        this.#tryAgain(serverId);
      },
    });
    return 'code' in subscription ? this.#tryAgain(serverId) : subscription;
  }

  /** A server that is away may be back. */
  #tryAgain(serverId: ServerId): null {
    if (this.#isOver) return null;
    this.#unheard.add(serverId);
    if (this.#again !== null) clearTimeout(this.#again);
    this.#again = setTimeout(() => void this.#follow(), this.#againMs);
    this.#again.unref();
    this.#againMs = Math.min(this.#againMs * 2, AGAIN_MS_MAX);
    return null;
  }

  /** Each resource counts as updated: nobody knows what was missed. */
  #standsAgain(serverId: ServerId, wanted: readonly Recorded[]): void {
    if (!this.#unheard.delete(serverId)) return;
    if (this.#unheard.size === 0) this.#againMs = AGAIN_MS;
    for (const { spelled, uri } of wanted)
      this.#stream.tell(JSON.stringify({ jsonrpc: '2.0', method: UPDATED, params: { uri: spelled ?? uri } }));
  }
}
