import { randomUUID } from 'node:crypto';
import type { OrganisationId, ServerId } from '@patchbay/contracts';
import type { Bus, SharedStore } from '@patchbay/ports';
import { type Keyring, open, seal } from '@patchbay/vault';
import { LRUCache } from 'lru-cache';
import { within } from '../directory/within.ts';
import type { ClientSession } from './client-session.ts';

/** `uri`: the server's own; `spelled`: as the client knows it at its endpoint. */
export type Subscription = { readonly serverId: ServerId; readonly uri: string; readonly spelled: string };

/** `opening` differs for each session with the server, whichever pod tells of it. */
export type UsedServer = { readonly serverId: ServerId; readonly opening: string };

/** What a client has changed in its session since it opened it. Immutable. */
export type SessionState = {
  /** The least severe log level that it wants; null: it never said. */
  readonly level: string | null;
  readonly subscriptions: readonly Subscription[];
  /** At the aggregated endpoint, with which servers the session has sessions; the one opened last comes last. */
  readonly servers: readonly UsedServer[];
};

export type SessionStatesDeps = {
  readonly store: Pick<SharedStore, 'get' | 'setIfAbsent' | 'compareAndSet'>;
  readonly bus: Pick<Bus, 'publish' | 'subscribe'>;
  /** The fleet's session sealing keys: nobody else can say that a session has changed, or how. */
  readonly keyring: Keyring;
  /** How many pods there are, this one included. */
  readonly pods: () => number;
  readonly clock: { nowMs(): number };
  readonly logger: { warn(fields: object, message: string): void };
};

/**
 * What clients changed in their sessions (architecture.md §5): read from memory, written to the shared store and told to all pods. Changes
 * are rare, so they wait for the pods: whoever was answered is served by what it changed, wherever its next request arrives.
 */
export type SessionStates = {
  /** Without waiting when this pod knows it. What was never changed, and what the store does not tell in time, is `UNCHANGED`. */
  current(session: ClientSession): SessionState | Promise<SessionState>;
  /** Resolves when every pod has taken it, after one second at most; false when the store has not. Never rejects. */
  change(session: ClientSession, edit: (state: SessionState) => SessionState): Promise<boolean>;
  /** Resolves when every pod has heard what was said of the session before this, after one second at most. */
  heard(session: ClientSession): Promise<void>;
  /** Called when the session was changed, on whichever pod, which waits for it. Must not reject. Returns what ends it. */
  watch(session: ClientSession, changed: () => Promise<void>): () => void;
  listen(): Promise<void>;
};

/** Of a session whose client changed nothing. */
export const UNCHANGED: SessionState = { level: null, subscriptions: [], servers: [] };

const KNOWN_MAX = 20_000;
const STORE_TIMEOUT_MS = 1_500;
const PODS_TAKE_MS = 1_000;
const ATTEMPTS_MAX = 20;
const CONTEXT = ['session-state'];

type Changed = readonly ['changed', string, string, string, string];
type Took = readonly ['took', string, string];
type Waiting = { readonly took: Set<string>; readonly wanted: number; readonly done: () => void };
type Flight = { readonly state: Promise<SessionState>; isCurrent: boolean };

export function makeSessionStates(deps: SessionStatesDeps): SessionStates {
  return new StoredStates(deps);
}

class StoredStates implements SessionStates {
  readonly #deps: SessionStatesDeps;
  readonly #keyring: Keyring;
  /** This pod among those that hear each other. */
  readonly #pod = randomUUID();
  readonly #known = new LRUCache<string, SessionState>({ max: KNOWN_MAX });
  readonly #flights = new Map<string, Flight>();
  readonly #waiting = new Map<string, Waiting>();
  readonly #watching = new Map<string, Set<() => Promise<void>>>();

  constructor(deps: SessionStatesDeps) {
    this.#deps = deps;
    this.#keyring = deps.keyring.derive('session-state');
  }

  current(session: ClientSession): SessionState | Promise<SessionState> {
    const { key } = session;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const running = this.#flights.get(key);
    if (running !== undefined) return running.state;
    const flight: Flight = { state: this.#look(session, () => flight.isCurrent), isCurrent: true };
    this.#flights.set(key, flight);
    return flight.state.finally(() => this.#flights.get(key) === flight && this.#flights.delete(key));
  }

  async change(session: ClientSession, edit: (state: SessionState) => SessionState): Promise<boolean> {
    const { key, organisationId } = session;
    const changed = await within(this.#write(session, edit), STORE_TIMEOUT_MS, null);
    if (changed === null) {
      this.#deps.logger.warn({ organisationId }, 'cannot record what a client changed in its session');
      return false;
    }
    this.#forget(key);
    this.#known.set(key, changed);
    await Promise.all([this.#tellPods(organisationId, key), within(this.#changed(key), PODS_TAKE_MS, undefined)]);
    return true;
  }

  heard({ key, organisationId }: ClientSession): Promise<void> {
    return this.#tellPods(organisationId, key);
  }

  watch({ key }: ClientSession, changed: () => Promise<void>): () => void {
    const watching = this.#watching.get(key) ?? new Set();
    this.#watching.set(key, watching.add(changed));
    return () => {
      watching.delete(changed);
      if (watching.size === 0 && this.#watching.get(key) === watching) this.#watching.delete(key);
    };
  }

  async listen(): Promise<void> {
    await this.#deps.bus.subscribe('sessions', {
      onMessage: (message) => this.#hear(message),
      onGap: () => {
        for (const flight of this.#flights.values()) flight.isCurrent = false;
        this.#known.clear();
      },
    });
  }

  async #look(session: ClientSession, isCurrent: () => boolean): Promise<SessionState> {
    const { key, organisationId } = session;
    const record = await within(this.#deps.store.get(organisationId, recordKey(key)), STORE_TIMEOUT_MS, undefined);
    if (record === undefined) {
      this.#deps.logger.warn({ organisationId }, 'cannot read what a client changed in its session');
      return UNCHANGED;
    }
    const state = this.#unseal(session, record);
    // What was changed while it was read is read again.
    if (isCurrent()) this.#known.set(key, state);
    return state;
  }

  async #write(session: ClientSession, edit: (state: SessionState) => SessionState): Promise<SessionState | null> {
    const { store, clock } = this.#deps;
    const { expiresAtMs, key, organisationId } = session;
    const name = recordKey(key);
    const ttlMs = Math.max(1, expiresAtMs - clock.nowMs());
    let record = await store.get(organisationId, name);
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      const state = edit(this.#unseal(session, record));
      const ours = seal(this.#keyring, JSON.stringify(state), contextOf(session));
      const stands =
        record === null
          ? await store.setIfAbsent(organisationId, name, ours, ttlMs)
          : await store.compareAndSet(organisationId, name, record, ours, ttlMs);
      if (stands === ours) return state;
      record = stands;
    }
    return null;
  }

  async #tellPods(organisationId: OrganisationId, key: string): Promise<void> {
    const wanted = this.#deps.pods() - 1;
    const id = randomUUID();
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#waiting.set(id, { took: new Set(), wanted, done: () => resolve(true) });
    const said = this.#say(['changed', this.#pod, id, organisationId, key]);
    const allTook = await within(wanted <= 0 ? said.then(() => true) : said.then(() => promise), PODS_TAKE_MS, false);
    this.#waiting.delete(id);
    if (!allTook) this.#deps.logger.warn({ organisationId }, 'not every pod has said that it took a change of a session');
  }

  #hear(message: string): void {
    const opened = open(this.#keyring, message, CONTEXT);
    if (opened === null) return;
    // The seal vouches for the form: only we write it.
    const heard = JSON.parse(opened.toString('utf8')) as Changed | Took;
    if (heard[0] === 'took') {
      const waiting = this.#waiting.get(heard[1]);
      if (waiting !== undefined && waiting.took.add(heard[2]).size >= waiting.wanted) waiting.done();
      return;
    }
    const [, pod, id, , key] = heard;
    if (pod === this.#pod) return;
    this.#forget(key);
    const took = this.#changed(key).then(() => this.#say(['took', id, this.#pod]));
    took.catch((error: unknown) => this.#deps.logger.warn({ err: error }, 'cannot say that a change was taken'));
  }

  async #changed(key: string): Promise<void> {
    await Promise.all([...(this.#watching.get(key) ?? [])].map((changed) => changed()));
  }

  #forget(key: string): void {
    this.#known.delete(key);
    const flight = this.#flights.get(key);
    if (flight === undefined) return;
    flight.isCurrent = false;
    this.#flights.delete(key);
  }

  #say(said: Changed | Took): Promise<void> {
    return this.#deps.bus.publish('sessions', seal(this.#keyring, JSON.stringify(said), CONTEXT));
  }

  #unseal(session: ClientSession, record: string | null): SessionState {
    const opened = record === null ? null : open(this.#keyring, record, contextOf(session));
    // Servers came later.
    return opened === null ? UNCHANGED : { ...UNCHANGED, ...(JSON.parse(opened.toString('utf8')) as Partial<SessionState>) };
  }
}

function recordKey(key: string): string {
  return `session-state/${key}`;
}

function contextOf({ key, organisationId }: ClientSession): string[] {
  return ['session-state', organisationId, key];
}
