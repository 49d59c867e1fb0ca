import type { DirectoryAnswer, OrganisationId, PartHash, Revision, TokenHash } from '@patchbay/contracts';
import type { Bus, Directory, Parts, SharedStore, Topic } from '@patchbay/ports';
import type { Network, Place } from './network.ts';
import type { Random } from './random.ts';
import type { Owner, Scheduler } from './scheduler.ts';

type Listener = Parameters<Bus['subscribe']>[1];
type Subscription = {
  readonly name: string;
  readonly owner: Owner;
  readonly topic: Topic;
  readonly listener: Listener;
  connected: boolean;
  closed: boolean;
};
type ManifestPosition = Parameters<Parts['putManifest']>[1];
type Kept = { at: ManifestPosition; jws: string };

const COMMAND_TIMEOUT_MS = 5_000;
const RECONNECT_MS = 300;

/** What lies in the store. Open to the attacker, who writes where he likes. */
export type Contents = {
  readonly manifests: Map<OrganisationId, Kept>;
  readonly parts: Map<string, Buffer>;
  readonly tokens: Map<string, { revision: number; jws: string }>;
  readonly organisations: Map<string, string>;
  readonly revisions: Map<OrganisationId, number>;
  readonly shared: Map<string, { value: string; untilMs: number }>;
};

function emptyContents(): Contents {
  const [manifests, parts, tokens] = [new Map(), new Map(), new Map()];
  return { manifests, parts, tokens, organisations: new Map(), revisions: new Map(), shared: new Map() };
}

/** Redis, as far as it concerns what is simulated: the ports' data and their bus, each asked over the network. */
export class Store {
  readonly place: Place = { name: 'store', process: { name: 'store', alive: true } };
  contents = emptyContents();
  /** Published messages, newest last: what an attacker may have recorded. */
  readonly published: { topic: Topic; message: string }[] = [];
  readonly #subscriptions: Subscription[] = [];
  readonly #network: Network;
  readonly #random: Random;
  readonly #scheduler: Scheduler;
  /** How likely the bus drops or repeats a message. */
  bus = { lossChance: 0, repeatChance: 0, slowMs: 0 };

  constructor(network: Network, random: Random, scheduler: Scheduler) {
    this.#network = network;
    this.#random = random;
    this.#scheduler = scheduler;
  }

  empty(): void {
    this.contents = emptyContents();
    for (const subscription of this.#subscriptions) this.#lose(subscription);
  }

  setUp(isUp: boolean): void {
    this.place.process = isUp ? { name: 'store', alive: true } : null;
    if (!isUp) for (const subscription of this.#subscriptions) this.#lose(subscription);
  }

  /** The connection of a place to the bus breaks; it comes back by itself once it can. */
  breakBusOf(name: string): void {
    for (const subscription of this.#subscriptions) if (subscription.name === name) this.#lose(subscription);
  }

  /** As if it had been published: what an attacker, too, can do. */
  deliver(topic: Topic, message: string): void {
    for (const subscription of this.#subscriptions) {
      if (subscription.topic !== topic || !subscription.connected) continue;
      const link = this.#network.link(subscription.name, 'store');
      if (link.state !== 'up' || this.#random.chance(this.bus.lossChance)) continue;
      const copies = this.#random.chance(this.bus.repeatChance) ? 2 : 1;
      for (let copy = 0; copy < copies; copy += 1) {
        const arrive = (): void => {
          if (subscription.connected && !subscription.closed) subscription.listener.onMessage(message);
        };
        this.#scheduler.plan(this.#network.delayMs(link) + this.#random.between(0, this.bus.slowMs), arrive, subscription.owner);
      }
    }
  }

  /** The ports of one process. */
  portsOf(name: string, owner: Owner): { bus: Bus; parts: Parts; directory: Directory; sharedStore: SharedStore } {
    const ask = <T>(work: () => T): Promise<T> => this.#network.request(name, this.place, { timeoutMs: COMMAND_TIMEOUT_MS, work });
    return {
      bus: this.#busOf(name, owner, ask),
      parts: this.#partsOf(ask),
      directory: this.#directoryOf(ask),
      sharedStore: this.#sharedOf(ask),
    };
  }

  #busOf(name: string, owner: Owner, ask: <T>(work: () => T) => Promise<T>): Bus {
    const own = (): Subscription[] => this.#subscriptions.filter((subscription) => subscription.owner === owner && !subscription.closed);
    return {
      publish: (topic, message) =>
        ask(() => {
          this.published.push({ topic, message });
          if (this.published.length > 500) this.published.shift();
          this.deliver(topic, message);
        }),
      subscribe: async (topic, listener) => {
        const subscription: Subscription = { name, owner, topic, listener, connected: true, closed: false };
        await ask(() => void this.#subscriptions.push(subscription));
        const close = async (): Promise<void> => {
          subscription.closed = true;
        };
        return { close };
      },
      isListening: () => own().some(({ connected }) => connected),
      close: async () => own().forEach((subscription) => Object.assign(subscription, { closed: true })),
    };
  }

  #lose(subscription: Subscription): void {
    if (!subscription.connected || subscription.closed || !subscription.owner.alive) return;
    subscription.connected = false;
    const again = (): void => {
      if (subscription.closed) return;
      const { state } = this.#network.link(subscription.name, 'store');
      if (state !== 'up' || this.place.process === null) return void this.#scheduler.plan(RECONNECT_MS, again, subscription.owner);
      subscription.connected = true;
      subscription.listener.onGap();
    };
    this.#scheduler.plan(this.#random.between(1, RECONNECT_MS), again, subscription.owner);
  }

  #partsOf(ask: <T>(work: () => T) => Promise<T>): Parts {
    const key = (organisationId: OrganisationId, hash: PartHash): string => `${organisationId}:${hash}`;
    return {
      putParts: (organisationId, parts) =>
        ask(() => parts.forEach(({ hash, bytes }) => this.contents.parts.set(key(organisationId, hash), bytes))),
      missing: (organisationId, hashes) => ask(() => hashes.filter((hash) => !this.contents.parts.has(key(organisationId, hash)))),
      getParts: (organisationId, hashes) =>
        ask(() => {
          const found = new Map<PartHash, Buffer>();
          for (const hash of hashes) {
            const bytes = this.contents.parts.get(key(organisationId, hash));
            if (bytes !== undefined) found.set(hash, bytes);
          }
          return found;
        }),
      removeManifest: (organisationId) => ask(() => void this.contents.manifests.delete(organisationId)),
      putManifest: (organisationId, at, jws, parts = []) =>
        ask(() => {
          const stored = this.contents.manifests.get(organisationId)?.at;
          const goesBack =
            stored !== undefined && (stored.epoch > at.epoch || (stored.epoch === at.epoch && stored.revision > at.revision));
          if (goesBack) return false;
          for (const { hash, bytes } of parts) this.contents.parts.set(key(organisationId, hash), bytes);
          this.contents.manifests.set(organisationId, { at, jws });
          return true;
        }),
      getManifest: (organisationId) => ask(() => this.contents.manifests.get(organisationId)?.jws ?? null),
      getPositions: (organisationIds) =>
        ask(() => {
          const found = new Map<OrganisationId, ManifestPosition>();
          for (const id of organisationIds) {
            const at = this.contents.manifests.get(id)?.at;
            if (at !== undefined) found.set(id, at);
          }
          return found;
        }),
      // Old parts do no harm, and a simulation ends before there are many.
      collectGarbage: async () => 0,
    };
  }

  #directoryOf(ask: <T>(work: () => T) => Promise<T>): Directory {
    const key = (organisationId: OrganisationId, hash: TokenHash): string => `${organisationId}:${hash}`;
    return {
      putTokens: (organisationId, revision, entries) =>
        ask(() => {
          for (const { jws, tokenHash } of entries) {
            const stored = this.contents.tokens.get(key(organisationId, tokenHash));
            if (stored === undefined || stored.revision <= revision)
              this.contents.tokens.set(key(organisationId, tokenHash), { revision, jws });
          }
          this.contents.revisions.set(organisationId, Math.max(revision, this.contents.revisions.get(organisationId) ?? 0));
        }),
      getToken: (organisationId, hash) =>
        ask((): DirectoryAnswer => {
          const entry = this.contents.tokens.get(key(organisationId, hash))?.jws ?? null;
          return { entry, revision: (this.contents.revisions.get(organisationId) ?? 0) as Revision };
        }),
      removeExpiredTokens: async () => 0,
      putOrganisation: (slug, jws) => ask(() => void this.contents.organisations.set(slug, jws)),
      getOrganisation: (slug) => ask(() => this.contents.organisations.get(slug) ?? null),
    };
  }

  #sharedOf(ask: <T>(work: () => T) => Promise<T>): SharedStore {
    const read = (key: string): string | null => {
      const found = this.contents.shared.get(key);
      return found === undefined || found.untilMs <= this.#scheduler.nowMs ? null : found.value;
    };
    const write = (key: string, value: string, ttlMs: number): string => {
      this.contents.shared.set(key, { value, untilMs: this.#scheduler.nowMs + ttlMs });
      return value;
    };
    const replace = (key: string, value: string): void => {
      this.contents.shared.set(key, { value, untilMs: this.contents.shared.get(key)?.untilMs ?? 0 });
    };
    return {
      get: (id, key) => ask(() => read(`${id}:${key}`)),
      setIfAbsent: (id, key, value, ttlMs) => ask(() => read(`${id}:${key}`) ?? write(`${id}:${key}`, value, ttlMs)),
      compareAndSet: (id, key, ...[expected, value, ttlMs]) =>
        ask(() => {
          const stands = read(`${id}:${key}`);
          return stands === expected ? write(`${id}:${key}`, value, ttlMs) : stands;
        }),
      set: (id, key, value, ttlMs) => ask(() => void write(`${id}:${key}`, value, ttlMs)),
      delete: (id, key) => ask(() => void this.contents.shared.delete(`${id}:${key}`)),
      append: (id, key, addition, charactersMax) =>
        ask(() => {
          const stands = read(`${id}:${key}`);
          if (stands === null) return 'absent';
          if (stands.length + addition.length > charactersMax) return 'full';
          replace(`${id}:${key}`, stands + addition);
          return 'appended';
        }),
      take: (id, key) =>
        ask(() => {
          const stands = read(`${id}:${key}`);
          if (stands !== null) replace(`${id}:${key}`, '');
          return stands;
        }),
    };
  }
}
