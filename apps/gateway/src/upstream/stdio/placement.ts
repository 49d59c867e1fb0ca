import { rendezvousOrder } from '@patchbay/egress';
import { type OrganisationId, STDIO_HOST } from '@patchbay/contracts';
import type { SharedStore } from '@patchbay/ports';
import type { CounterSeries } from '@patchbay/telemetry';
import { type Keyring, open, seal } from '@patchbay/vault';
import { LRUCache } from 'lru-cache';
import { within } from '../../directory/within.ts';
import type { CompiledServer } from '../../snapshot/compiled.ts';
import type { Clock } from '../../snapshot/log.ts';
import type { StdioHost, StdioHosts } from './hosts.ts';

/** A stdio server, as far as its place is concerned. */
export type Placed = {
  readonly organisationId: OrganisationId;
  readonly server: Pick<CompiledServer, 'id' | 'slug' | 'generation' | 'isolation'>;
};

export type PlacementCounters = { readonly moves: CounterSeries; readonly recordsIgnored: CounterSeries };

export type PlacementDeps = {
  readonly hosts: StdioHosts;
  readonly store: Pick<SharedStore, 'get' | 'setIfAbsent' | 'compareAndSet'>;
  /** The fleet's session sealing keys: whoever else writes to the store cannot say where a server runs. */
  readonly keyring: Keyring;
  readonly clock: Pick<Clock, 'nowMs'>;
  /** Ends what runs of a server on a host. Never rejects. */
  readonly endOn: (host: StdioHost, placed: Placed) => Promise<void>;
  readonly counters: PlacementCounters;
  readonly logger: { info(fields: object, message: string): void; warn(fields: object, message: string): void };
  readonly renewEveryMs?: number;
};

/**
 * Where the one process of a shared server is, as this pod last heard. `record`: what stands in the store; null: the store was away.
 * `sequence`: the newest that this pod has seen stand.
 */
type Known = { readonly host: StdioHost; readonly sequence: number; readonly record: string | null; askedAtMs: number };

/** What a record says. */
type Found = { readonly host: StdioHost; readonly sequence: number };

type Claim = { readonly host: StdioHost; readonly sequence: number; readonly record: string };

const KNOWN_MAX = 10_000;
const STORE_TIMEOUT_MS = 1_500;
const RENEW_EVERY_MS = 5_000;
/** As long as a host may ever keep a process that nobody uses: a record never ends before its process. */
const LEASE_MS = 24 * 3_600_000;
const ROUNDS_MAX = 4;

/**
 * Which stdio host holds what. The sessions of a `session` server each have a process of their own, those of a principal one
 * together where the isolation is `principal`, so each owner is placed by hashing alone. A `shared` server has one process: its host is a record in the shared store, first come, leased, and moved only off a
 * host that cannot be used. Warm use reads memory and renews the lease behind the caller's back.
 */
export class Placement {
  readonly #deps: PlacementDeps;
  readonly #keyring: Keyring;
  readonly #known = new LRUCache<string, Known>({ max: KNOWN_MAX });
  readonly #claims = new Map<string, Promise<StdioHost | null>>();
  #storeIsAway = false;

  constructor(deps: PlacementDeps) {
    this.#deps = deps;
    this.#keyring = deps.keyring.derive('stdio-host');
  }

  /** The host to open a session on, those in `tried` left out; null when none is left. */
  next(placed: Placed, owner: string, tried: ReadonlySet<unknown>): StdioHost | null | Promise<StdioHost | null> {
    const { hosts } = this.#deps;
    if (hosts.isSingle || placed.server.isolation !== 'shared') return this.#firstChoice(placed, owner, tried);
    const known = this.#known.get(cacheKeyOf(placed));
    return known !== undefined && this.#isUsable(known.host, tried) ? known.host : this.#claim(placed, tried);
  }

  /** Whether a session on this host still serves. Never waits; what this pod does not know yet it asks for meanwhile. */
  holds(placed: Placed, host: StdioHost): boolean {
    const { hosts, renewEveryMs = RENEW_EVERY_MS } = this.#deps;
    if (hosts.isSingle) return true;
    if (!hosts.isAlive(host)) return false;
    if (placed.server.isolation !== 'shared') return true;
    const known = this.#known.get(cacheKeyOf(placed));
    if (known === undefined) {
      void this.#claim(placed, new Set(), host);
      return true;
    }
    if (performance.now() - known.askedAtMs >= renewEveryMs) void this.#renew(placed, known);
    return known.host === host;
  }

  #isUsable(host: StdioHost, tried: ReadonlySet<unknown>): boolean {
    return this.#deps.hosts.isAlive(host) && !tried.has(host.id);
  }

  /** Where another pod has put it since we last heard, it runs: that pod may know sooner than we do that the host is back. */
  async #isUsableNow({ host, sequence }: Found, known: Known | undefined, tried: ReadonlySet<unknown>): Promise<boolean> {
    if (this.#isUsable(host, tried)) return true;
    const isNews = known !== undefined && sequence > known.sequence;
    return isNews && !tried.has(host.id) && this.#deps.hosts.isBack(host);
  }

  /** When all seem away they are asked: hosts that are restarted one after another are back before this pod looks at them again. */
  #firstChoice(
    { organisationId, server }: Placed,
    owner: string,
    tried: ReadonlySet<unknown>,
  ): StdioHost | null | Promise<StdioHost | null> {
    const { hosts } = this.#deps;
    // Not of the generation: a new one replaces the old where that runs.
    const key = STDIO_HOST.placementKey(organisationId, server.id, owner);
    const order = rendezvousOrder(key, hosts.all, ({ name }) => name).filter(({ id }) => !tried.has(id));
    if (order.length === 0) return null;
    return order.find((host) => hosts.isAlive(host)) ?? this.#firstBack(order);
  }

  /** Whichever answers first: one that hangs must not be waited for. */
  async #firstBack(order: readonly StdioHost[]): Promise<StdioHost | null> {
    const asked = order.map(async (host) => ((await this.#deps.hosts.isBack(host)) ? host : Promise.reject(new Error('away'))));
    return Promise.any(asked).catch(() => null);
  }

  async #claim(placed: Placed, tried: ReadonlySet<unknown>, wanted: StdioHost | null = null): Promise<StdioHost | null> {
    const key = cacheKeyOf(placed);
    const running = this.#claims.get(key);
    if (running !== undefined) {
      const host = await running;
      if (host !== null && this.#isUsable(host, tried)) return host;
    }
    const claim = this.#claimNow(placed, tried, wanted).finally(() => {
      if (this.#claims.get(key) === claim) this.#claims.delete(key);
    });
    this.#claims.set(key, claim);
    return claim;
  }

  async #claimNow(placed: Placed, tried: ReadonlySet<unknown>, wanted: StdioHost | null): Promise<StdioHost | null> {
    const host = wanted ?? (await this.#firstChoice(placed, '', tried));
    if (host === null) return null;
    return this.#stand(placed, this.#newClaim(placed, host), tried);
  }

  #newClaim(placed: Placed, host: StdioHost): Claim {
    // At least the time: what a store is given after it lost its data must be above what it held before, which could be put back.
    const sequence = Math.max((this.#known.get(cacheKeyOf(placed))?.sequence ?? 0) + 1, Math.floor(this.#deps.clock.nowMs()));
    return { host, sequence, record: this.#seal(placed, host, sequence) };
  }

  async #renew(placed: Placed, known: Known): Promise<void> {
    known.askedAtMs = performance.now();
    const { host, record, sequence } = known;
    await this.#stand(placed, record === null ? this.#newClaim(placed, host) : { host, sequence, record }, new Set());
  }

  /** Makes the claim stand, or takes what stands already if that can be used and is no older than what this pod knows. */
  async #stand(placed: Placed, claim: Claim, tried: ReadonlySet<unknown>): Promise<StdioHost> {
    const known = this.#known.get(cacheKeyOf(placed));
    let { record, sequence } = claim;
    let expected = known?.record ?? null;
    let left = known?.host ?? null;
    for (let round = 0; round < ROUNDS_MAX; round += 1) {
      const standing = await within(this.#write(placed, expected, record), STORE_TIMEOUT_MS, undefined);
      if (standing === undefined) break;
      this.#storeAnswered();
      if (standing === record) {
        if (expected !== null) this.#moved(placed, left, claim.host);
        return this.#keep(placed, { host: claim.host, record, sequence });
      }
      const theirs = standing === null ? null : this.#open(placed, standing);
      const isCurrent = theirs !== null && isNoOlder(theirs, known);
      if (isCurrent && (await this.#isUsableNow(theirs, known, tried))) return this.#keep(placed, { ...theirs, record: standing });
      if (standing !== null && !isCurrent) this.#deps.counters.recordsIgnored.inc();
      // Above whatever stood, so that it cannot be put back.
      sequence = Math.max(sequence, (theirs?.sequence ?? 0) + 1);
      record = this.#seal(placed, claim.host, sequence);
      expected = standing;
      left = isCurrent ? theirs.host : null;
    }
    this.#storeFailed();
    return this.#keep(placed, { host: claim.host, sequence: known?.sequence ?? 0, record: null });
  }

  #write(placed: Placed, expected: string | null, record: string): Promise<string | null> {
    const { store } = this.#deps;
    const { organisationId } = placed;
    if (expected === null) return store.setIfAbsent(organisationId, recordKeyOf(placed), record, LEASE_MS);
    return store.compareAndSet(organisationId, recordKeyOf(placed), expected, record, LEASE_MS);
  }

  #keep(placed: Placed, found: { host: StdioHost; sequence: number; record: string | null }): StdioHost {
    this.#known.set(cacheKeyOf(placed), { ...found, askedAtMs: performance.now() });
    return found.host;
  }

  /** A process that was left behind ends when its host is back: nobody else would tell it. */
  #moved(placed: Placed, from: StdioHost | null, host: StdioHost): void {
    if (from === null || from === host) return;
    const { counters, endOn, hosts, logger } = this.#deps;
    counters.moves.inc();
    logger.info({ server: placed.server.slug, from: from.name, to: host.name }, 'moved a stdio server to another host');
    if (!hosts.isAlive(from))
      hosts.owe(from, async () => {
        // Another pod may have moved it back there, before we heard that the host is back.
        const host = (await this.#recorded(placed)) ?? this.#known.get(cacheKeyOf(placed))?.host;
        if (host !== from) await endOn(from, placed);
      });
  }

  /** Where the store says that it runs; null when it does not say, or less than this pod knows. */
  async #recorded(placed: Placed): Promise<StdioHost | null> {
    const standing = await within(this.#deps.store.get(placed.organisationId, recordKeyOf(placed)), STORE_TIMEOUT_MS, null);
    const theirs = standing === null ? null : this.#open(placed, standing);
    const known = this.#known.get(cacheKeyOf(placed));
    return theirs !== null && isNoOlder(theirs, known) ? theirs.host : null;
  }

  #seal(placed: Placed, { id }: StdioHost, sequence: number): string {
    return seal(this.#keyring, JSON.stringify([id, sequence]), [recordKeyOf(placed), placed.organisationId]);
  }

  /** null: not ours, or of a host that is not on our list. */
  #open(placed: Placed, record: string): Found | null {
    const plaintext = open(this.#keyring, record, [recordKeyOf(placed), placed.organisationId]);
    if (plaintext === null) return null;
    // The seal vouches for the form: only we write it.
    const [id, sequence] = JSON.parse(plaintext.toString('utf8')) as [string, number];
    const host = this.#deps.hosts.byId(id);
    return host === null ? null : { host, sequence };
  }

  #storeFailed(): void {
    if (!this.#storeIsAway) this.#deps.logger.warn({}, 'the shared store is away: stdio hosts are chosen by hashing alone');
    this.#storeIsAway = true;
  }

  #storeAnswered(): void {
    if (this.#storeIsAway) this.#deps.logger.info({}, 'the shared store records stdio hosts again');
    this.#storeIsAway = false;
  }
}

/**
 * Of two records of one sequence the one that this pod saw stand counts: a store that lost its data may have been given both. What was
 * chosen without the store gives way.
 */
function isNoOlder({ host, sequence }: Found, known: Known | undefined): boolean {
  if (known === undefined || sequence !== known.sequence) return sequence > (known?.sequence ?? 0);
  return known.record === null || known.host === host;
}

function recordKeyOf({ server }: Placed): string {
  return `stdio-host/${server.id}/${server.generation}`;
}

/** A server lives as long as its snapshot; its key is wanted by every call. */
const cacheKeys = new WeakMap<Placed['server'], string>();

function cacheKeyOf(placed: Placed): string {
  let key = cacheKeys.get(placed.server);
  if (key === undefined) {
    key = `${placed.organisationId}/${recordKeyOf(placed)}`;
    cacheKeys.set(placed.server, key);
  }
  return key;
}
