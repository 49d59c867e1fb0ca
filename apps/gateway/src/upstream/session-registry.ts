import { createHash } from 'node:crypto';
import type { OrganisationId, UserId } from '@patchbay/contracts';
import { type Refusal, refusal } from '@patchbay/errors';
import { isLegacyVersion } from '@patchbay/mcp-wire';
import type { SharedStore } from '@patchbay/ports';
import { type Keyring, open, seal } from '@patchbay/vault';
import { LRUCache } from 'lru-cache';
import { within } from '../directory/within.ts';
import type { ClientSession } from '../sessions/client-session.ts';
import type { SessionStates } from '../sessions/session-states.ts';
import type { Tombstones } from '../sessions/tombstones.ts';
import { usesServer } from '../sessions/used-servers.ts';
import type { Declared } from './asking/declared.ts';
import { closeSession, openSession, type SessionOpening, WITHOUT_CLIENT } from './open-session.ts';
import { capabilitiesTextFor } from './sampling.ts';
import type { Upstream } from './upstreams.ts';
import { type LocatedSession, openOnOne } from './ways.ts';

export type SessionRegistryDeps = {
  readonly store: Pick<SharedStore, 'get' | 'setIfAbsent' | 'compareAndSet' | 'delete'>;
  /** The fleet's session sealing keys. Upstream session ids lie sealed in the store: a dump of it must not open one. */
  readonly keyring: Keyring;
  readonly tombstones: Tombstones;
  /** What clients said after they opened their sessions is said again when one is opened again. */
  readonly states: Pick<SessionStates, 'change' | 'current'>;
  readonly logger: { warn(fields: object, message: string): void };
};

/** Whose upstream session: of one client session, or shared by all clients of a user that have none and declare the same. */
export type SessionOwner =
  | { readonly userId: UserId; readonly clientSession: ClientSession }
  | { readonly userId: UserId; readonly clientSession: null; readonly declared: Declared };

/** A session with a legacy server. `record`: what the store holds of it; null while it is in the client's sealed id only. */
export type UpstreamSession = LocatedSession & { readonly record: string | null };

/** Upstream sessions, opened on first use and shared by all pods (architecture.md §5). */
export type SessionRegistry = {
  /** Without waiting when this pod knows it. */
  current(upstream: Upstream, owner: SessionOwner): UpstreamSession | Promise<UpstreamSession | Refusal>;
  /** After the upstream said that `stale` is gone: what another pod put in its place, or a new one. */
  replace(upstream: Upstream, owner: SessionOwner, stale: UpstreamSession): Promise<UpstreamSession | Refusal>;
  /** Records a session that did not fit into the client's sealed id. */
  adopt(upstream: Upstream, owner: SessionOwner, session: LocatedSession): Promise<void>;
  /** The session if there is one, and another than `lost`; opens none. */
  find(upstream: Upstream, owner: SessionOwner, lost?: UpstreamSession | null): Promise<UpstreamSession | null>;
  forget(upstream: Upstream, owner: SessionOwner): Promise<void>;
};

const KNOWN_MAX = 50_000;
const STORE_TIMEOUT_MS = 1_500;
const RECORD_LIFETIME_MS = 30 * 24 * 3_600_000;

/** The server's generation changes with its credential, so no session outlives the credential that opened it. */
function keyOf({ server }: Upstream, owner: SessionOwner): string {
  return `upstream-session/${server.id}/${server.generation}/${nameOf(owner)}`;
}

function nameOf(owner: SessionOwner): string {
  if (owner.clientSession !== null) return `s/${owner.clientSession.key}`;
  const { declared, userId } = owner;
  return declared.digest === '' ? `p/${userId}` : `p/${userId}/${declared.digest}`;
}

/** A client's session is opened as that client: never with more than it declared, in the revision that it speaks. */
async function openingFor(states: Pick<SessionStates, 'current'>, { server }: Upstream, owner: SessionOwner): Promise<SessionOpening> {
  if (owner.clientSession === null)
    return { ...WITHOUT_CLIENT, capabilities: owner.declared.capabilities, logLevel: owner.declared.logLevel };
  const { capabilities, clientInfo, protocolVersion } = owner.clientSession;
  const { level, subscriptions } = await states.current(owner.clientSession);
  return {
    logLevel: level,
    subscriptions: subscriptions.filter(({ serverId }) => serverId === server.id).map(({ uri }) => uri),
    capabilities: capabilitiesTextFor(server.sampling, capabilities),
    clientInfo: clientInfo ?? WITHOUT_CLIENT.clientInfo,
    protocolVersion: isLegacyVersion(protocolVersion) ? protocolVersion : WITHOUT_CLIENT.protocolVersion,
  };
}

export function makeSessionRegistry(deps: SessionRegistryDeps): SessionRegistry {
  return new StoredSessions(deps);
}

class StoredSessions implements SessionRegistry {
  readonly #deps: SessionRegistryDeps;
  readonly #keyring: Keyring;
  readonly #known = new LRUCache<string, UpstreamSession>({ max: KNOWN_MAX });
  readonly #flights = new Map<string, Promise<UpstreamSession | Refusal>>();

  constructor(deps: SessionRegistryDeps) {
    this.#deps = deps;
    this.#keyring = deps.keyring.derive('upstream-session');
  }

  current(upstream: Upstream, owner: SessionOwner): UpstreamSession | Promise<UpstreamSession | Refusal> {
    const key = this.#cacheKey(upstream, owner);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const sealed = sealedSession(owner);
    if (sealed !== null && !upstream.ways.areSeveral) return sealed;
    return this.#inFlight(
      key,
      async () => (await this.#read(upstream, owner)) ?? this.#settle(key, sealed) ?? this.#open(upstream, owner, null),
    );
  }

  async replace(upstream: Upstream, owner: SessionOwner, stale: UpstreamSession): Promise<UpstreamSession | Refusal> {
    const key = this.#cacheKey(upstream, owner);
    return this.#inFlight(key, async () => {
      const known = this.#known.get(key);
      if (known !== undefined && known.id !== stale.id && upstream.ways.to(known) !== null) return known;
      if (await this.#isEnded(upstream.organisationId, owner)) return refusal('session.gone');
      const stands = await this.#read(upstream, owner);
      if (stands !== null && stands.id !== stale.id && upstream.ways.to(stands) !== null) return stands;
      upstream.ways.abandon(stale);
      return this.#open(upstream, owner, stands?.record ?? null);
    });
  }

  async adopt(upstream: Upstream, owner: SessionOwner, session: LocatedSession): Promise<void> {
    await this.#record(upstream, owner, session, null);
  }

  async find(upstream: Upstream, owner: SessionOwner, lost: UpstreamSession | null = null): Promise<UpstreamSession | null> {
    const isOther = (session: UpstreamSession | null | undefined): boolean => session?.id !== lost?.id || lost === null;
    const known = this.#known.get(this.#cacheKey(upstream, owner));
    if (known !== undefined && isOther(known)) return known;
    const found = (await this.#read(upstream, owner)) ?? sealedSession(owner);
    return isOther(found) ? found : null;
  }

  async forget(upstream: Upstream, owner: SessionOwner): Promise<void> {
    this.#known.delete(this.#cacheKey(upstream, owner));
    await this.#deps.store.delete(upstream.organisationId, keyOf(upstream, owner));
  }

  #cacheKey(upstream: Upstream, owner: SessionOwner): string {
    return `${upstream.organisationId}/${keyOf(upstream, owner)}`;
  }

  /** From now on this pod uses it without asking the store again. */
  #settle(key: string, sealed: UpstreamSession | null): UpstreamSession | null {
    if (sealed !== null) this.#known.set(key, sealed);
    return sealed;
  }

  #inFlight(key: string, work: () => Promise<UpstreamSession | Refusal>): Promise<UpstreamSession | Refusal> {
    const running = this.#flights.get(key);
    if (running !== undefined) return running;
    const flight = work().finally(() => this.#flights.delete(key));
    this.#flights.set(key, flight);
    return flight;
  }

  async #isEnded(organisationId: OrganisationId, { clientSession }: SessionOwner): Promise<boolean> {
    if (clientSession === null) return false;
    return within(this.#deps.tombstones.isDead(organisationId, clientSession.key), STORE_TIMEOUT_MS, false);
  }

  /** What the store holds; null also when the store is away, for a session of our own then serves as well. */
  async #read(upstream: Upstream, owner: SessionOwner): Promise<UpstreamSession | null> {
    const key = keyOf(upstream, owner);
    const { organisationId, server } = upstream;
    const record = await within(this.#deps.store.get(organisationId, key), STORE_TIMEOUT_MS, undefined);
    if (record === undefined)
      this.#deps.logger.warn({ organisationId, server: server.slug }, 'cannot read the record of an upstream session');
    const session = typeof record === 'string' ? this.#unseal(organisationId, key, record) : null;
    if (session !== null) this.#known.set(this.#cacheKey(upstream, owner), session);
    return session;
  }

  async #open(upstream: Upstream, owner: SessionOwner, expected: string | null): Promise<UpstreamSession | Refusal> {
    const { slug } = upstream.server;
    const opening = await openingFor(this.#deps.states, upstream, owner);
    const outcome = await openOnOne(upstream.ways, { owner: nameOf(owner), slug }, (way) => openSession(upstream, way, opening));
    if ('code' in outcome) return outcome;
    const session = await this.#record(upstream, owner, outcome.opened, expected);
    if (!(await this.#isEnded(upstream.organisationId, owner))) {
      await this.#announce(upstream, owner, session);
      return session;
    }
    // Its client ended it meanwhile, and whoever ended it may not have seen this one.
    await this.forget(upstream, owner);
    void closeSession(upstream, session);
    return refusal('session.gone');
  }

  /** The pod that holds the client's stream reads what the server says outside of calls, from before the first of them is sent. */
  async #announce({ server }: Upstream, { clientSession }: SessionOwner, { id, instance }: UpstreamSession): Promise<void> {
    if (clientSession === null || clientSession.serverId !== null || id === null) return;
    // Of two pods that open one at once both tell of the one that stands. Session ids are secrets between us and the server.
    const opening = createHash('sha256')
      .update(`${instance ?? ''} ${id}`)
      .digest('base64url');
    await this.#deps.states.change(clientSession, usesServer({ serverId: server.id, opening }));
  }

  /** Puts it where all pods look; when another was first, ours is closed again and theirs is used. */
  async #record(upstream: Upstream, owner: SessionOwner, session: LocatedSession, expected: string | null): Promise<UpstreamSession> {
    const key = keyOf(upstream, owner);
    const { organisationId } = upstream;
    const record = seal(this.#keyring, JSON.stringify([session.id, session.protocolVersion, session.instance]), [key, organisationId]);
    const standing = await within(this.#write(organisationId, key, { record, expected }), STORE_TIMEOUT_MS, null);
    if (standing === null) this.#deps.logger.warn({ organisationId, server: upstream.server.slug }, 'cannot record an upstream session');
    const theirs = standing === null || standing === record ? null : this.#unseal(organisationId, key, standing);
    if (theirs !== null) void closeSession(upstream, session);
    const stands = theirs ?? { ...session, record };
    this.#known.set(this.#cacheKey(upstream, owner), stands);
    return stands;
  }

  async #write(
    organisationId: OrganisationId,
    key: string,
    { record, expected }: { record: string; expected: string | null },
  ): Promise<string> {
    const { store } = this.#deps;
    if (expected === null) return store.setIfAbsent(organisationId, key, record, RECORD_LIFETIME_MS);
    return (
      (await store.compareAndSet(organisationId, key, expected, record, RECORD_LIFETIME_MS)) ??
      store.setIfAbsent(organisationId, key, record, RECORD_LIFETIME_MS)
    );
  }

  #unseal(organisationId: OrganisationId, key: string, record: string): UpstreamSession | null {
    const plaintext = open(this.#keyring, record, [key, organisationId]);
    if (plaintext === null) return null;
    // The third came later: a session recorded without it was opened when there was one stdio host.
    const [id, protocolVersion, instance = null] = JSON.parse(plaintext.toString('utf8')) as [string | null, string, (string | null)?];
    return { id, protocolVersion, instance, record };
  }
}

/** The session that a forwarded `initialize` opened travels in the client's own session id. */
function sealedSession({ clientSession }: SessionOwner): UpstreamSession | null {
  if (clientSession === null || clientSession.upstreamSessionId === null) return null;
  const { protocolVersion, upstreamInstance, upstreamSessionId } = clientSession;
  return { id: upstreamSessionId, protocolVersion, instance: upstreamInstance, record: null };
}
