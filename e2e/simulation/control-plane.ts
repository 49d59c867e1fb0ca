import type { Invalidation, Manifest, OrganisationId, PodId, Revision, TokenHash } from '@patchbay/contracts';
import { Publisher } from '../../apps/control-plane/dist/modules/snapshot/publisher.js';
import type { RevisionPublisher } from '../../apps/control-plane/dist/modules/snapshot/revision-publisher.js';
import { StoreCheck } from '../../apps/control-plane/dist/modules/snapshot/store-check.js';
import { PodIntake } from '../../apps/control-plane/dist/modules/rollout/pod-intake.js';
import { rolloutOf } from '../../apps/control-plane/dist/modules/rollout/rollout-of.js';
import type { SignedKind } from '../../apps/gateway/dist/snapshot/verify.js';
import type { Place } from './network.ts';
import { WORLD, type Owner } from './scheduler.ts';
import { GATEWAY_SECRET, type Organisation, type Token } from './truth.ts';
import type { World } from './world.ts';

/** As the real one keeps them in manifests. */
const INVALIDATIONS_MS = 10 * 60_000;

type Answer = { readonly status: number; readonly body: Buffer };
type ForPublisher = ConstructorParameters<typeof Publisher>;

/** One control plane: the real publisher's order of work over the simulated database, and what it answers to gateways. */
export class ControlPlane {
  readonly place: Place;
  readonly #world: World;
  #publisher: Publisher | null = null;
  #intake: PodIntake | null = null;
  /** How far its wall clock is off. */
  skewMs = 0;

  constructor(world: World, name: string) {
    this.#world = world;
    this.place = { name, process: null };
  }

  get isAlive(): boolean {
    return this.place.process !== null;
  }

  start(): void {
    if (this.isAlive) return;
    const owner: Owner = { name: this.place.name, alive: true };
    this.place.process = owner;
    const { scheduler, trace, truth } = this.#world;
    trace.note(`${owner.name} starts`);
    const ports = this.#world.store.portsOf(owner.name, owner);
    const revisions = new Revisions(this.#world, owner, ports, () => this.#nowMs());
    const lookups = {
      positions: async () => {
        await scheduler.sleep(1);
        return truth.organisations.map(({ id, slug, epoch, revision }) => ({ organisationId: id, slug, epoch, revision }));
      },
      unpublished: async () => {
        await scheduler.sleep(1);
        return truth.organisations.filter(({ outbox }) => outbox.some((row) => !row.published)).map(({ id }) => ({ organisationId: id }));
      },
    };
    const publisher = new Publisher(...this.#givenToPublisher(revisions, lookups, ports));
    this.#publisher = publisher;
    const intake = this.#makeIntake(ports);
    this.#intake = intake;
    // As whatever watches over it does.
    const again = (): void => {
      if (!owner.alive) return;
      this.kill();
      scheduler.plan(1_000, () => this.start(), WORLD);
    };
    scheduler.as(owner, () => void intake.start().catch(again));
    scheduler.as(owner, () => void publisher.start().catch(() => undefined));
  }

  kill(): void {
    if (this.place.process === null) return;
    this.#world.trace.note(`${this.place.name} is killed`);
    this.place.process.alive = false;
    this.place.process = null;
    this.#publisher = null;
    this.#intake = null;
  }

  /** A change was committed through this one. */
  committed({ id }: Organisation): void {
    const { process } = this.place;
    if (process !== null) this.#world.scheduler.as(process, () => this.#publisher?.kick(id));
  }

  /** What the internal listener answers. */
  async answer(path: string, body: object | null): Promise<Answer> {
    const { scheduler, signatures, truth } = this.#world;
    await scheduler.sleep(0.5);
    const json = (value: unknown): Answer => ({ status: 200, body: Buffer.from(JSON.stringify(value)) });
    const missing: Answer = { status: 404, body: Buffer.alloc(0) };
    if (body !== null) {
      await this.#intake?.posted((body as { messages: string[] }).messages);
      return { status: 204, body: Buffer.alloc(0) };
    }
    if (path === '/internal/v1/revisions')
      return json({
        organisations: truth.organisations.map(({ id, slug, epoch, revision }) => ({ organisationId: id, slug, epoch, revision })),
      });
    const bySlug = /^\/internal\/v1\/organisations\/(.+)$/.exec(path);
    if (bySlug !== null) {
      const found = truth.organisations.find(({ slug }) => slug === bySlug[1]);
      if (found === undefined) return missing;
      const { epoch, id, revision, slug } = found;
      return json({ entry: signatures.sign('organisationEntry', { organisationId: id, slug }), epoch, revision });
    }
    const [, id = '', what, hash = ''] = /^\/internal\/v1\/orgs\/([^/]+)\/([^/]+)\/?(.*)$/.exec(path) ?? [];
    const organisation = truth.byId(id);
    if (organisation === undefined || this.place.process === null) return missing;
    if (what === 'tokens') {
      const token = organisation.tokens.get(hash as TokenHash);
      if (token === undefined) return missing;
      return json({
        entry: signatures.sign('tokenEntry', entryOf(organisation, token)),
        revision: organisation.revision,
        epoch: organisation.epoch,
      });
    }
    // From the database, never from the store.
    if (what === 'manifest') return { status: 200, body: Buffer.from(manifestOf(this.#world, organisation, this.#nowMs()).jws) };
    const part = truth.partsOf(organisation).find((each) => each.hash === hash);
    return part === undefined ? missing : { status: 200, body: part.bytes };
  }

  /** Whether it says that every pod enforces the newest revision; as the real service does. */
  async confirms({ epoch, id, revision }: Organisation): Promise<boolean> {
    const { process } = this.place;
    const intake = this.#intake;
    if (intake === null || process === null) return false;
    await this.#world.scheduler.as(process, () => intake.refresh());
    const nowMs = this.#world.scheduler.nowMs;
    const position = { epoch, revision };
    intake.seen.saw(id, position, nowMs);
    const knownSinceMs = intake.seen.since(id, position) ?? nowMs;
    const at = { nowMs, knowsWhoIsThere: intake.knowsWhoIsThere(), wallMs: (ms: number) => ms };
    return rolloutOf({ organisationId: id, position, knownSinceMs }, intake.pods(), at).confirmedAt !== null;
  }

  /** The real classes, over what they are given here: the same methods, simulated. */
  #givenToPublisher(revisions: Revisions, lookups: object, stores: ReturnType<World['store']['portsOf']>): ForPublisher {
    const { signatures, truth } = this.#world;
    const quiet = (): void => undefined;
    const signer = { open: async (kind: SignedKind, text: string) => signatures.payloadOf(kind, text) };
    const platform = { logger: { error: quiet, warn: quiet }, meters: { found: quiet }, stores, signer };
    const builder = {
      presentPart: async (id: string, hash: string) => {
        const organisation = truth.byId(id);
        return organisation === undefined ? null : (truth.partsOf(organisation).find((part) => part.hash === hash)?.bytes ?? null);
      },
    };
    const check = new StoreCheck(...([platform, builder] as unknown as ConstructorParameters<typeof StoreCheck>));
    return [revisions as unknown as RevisionPublisher, lookups, platform, check] as unknown as ForPublisher;
  }

  #makeIntake(ports: ReturnType<World['store']['portsOf']>): PodIntake {
    const { scheduler, truth } = this.#world;
    const lookups = {
      podsHeard: async () => {
        await scheduler.sleep(1);
        return [...truth.pods].map(([podId, { heardAtMs, stalenessBudgetMs }]) => ({
          podId,
          stalenessBudgetMs,
          heardMsAgo: scheduler.nowMs - heardAtMs,
        }));
      },
      positions: async () => {
        await scheduler.sleep(1);
        return truth.organisations.map(({ id, slug, epoch, revision }) => ({ organisationId: id, slug, epoch, revision }));
      },
      podHeard: async (podId: PodId, stalenessBudgetMs: number) =>
        void truth.pods.set(podId, { stalenessBudgetMs, heardAtMs: scheduler.nowMs }),
      podLeft: async (podId: PodId) => void truth.pods.delete(podId),
    };
    const clock = { now: () => new Date(this.#nowMs()) };
    const platform = {
      config: { gatewaySecret: GATEWAY_SECRET },
      stores: { bus: ports.bus },
      lookups,
      clock,
      logger: { warn: () => undefined },
      meters: { watchPods: () => undefined },
    };
    return new PodIntake(platform as unknown as ConstructorParameters<typeof PodIntake>[0]);
  }

  #nowMs(): number {
    return this.#world.wallMs() + this.skewMs;
  }
}

function entryOf({ id, revision }: Organisation, { hash, revokedAt, tokenId, userId }: Token): object {
  return { organisationId: id, tokenHash: hash, tokenId, userId, expiresAtMs: null, revision, revoked: revokedAt !== null };
}

/** The signed manifest of the present revision, and its parts. */
function manifestOf({ scheduler, signatures, truth }: World, organisation: Organisation, issuedAtMs: number) {
  const { epoch, id, outbox, revision, slug } = organisation;
  const parts = truth.partsOf(organisation);
  const since = scheduler.nowMs - INVALIDATIONS_MS;
  const invalidations = outbox.filter(({ createdAtMs }) => createdAtMs > since).flatMap((row) => row.invalidations);
  const lines = parts.map(({ kind, key, hash, bytes }) => ({ kind, key, hash, bytes: bytes.length }));
  const needs = lines.some(({ kind }) => kind === 'revocations') ? ['revocations'] : [];
  const names = { format: 1, organisationId: id, organisationSlug: slug, epoch, revision, issuedAtMs };
  return { jws: signatures.sign('manifest', { ...names, needs, parts: lines, invalidations }), parts };
}

/** The steps of the real revision publisher, in its order, over the simulated database and store. */
class Revisions {
  readonly #world: World;
  readonly #owner: Owner;
  readonly #ports: ReturnType<World['store']['portsOf']>;
  readonly #nowMs: () => number;

  constructor(world: World, owner: Owner, ports: ReturnType<World['store']['portsOf']>, nowMs: () => number) {
    this.#world = world;
    this.#owner = owner;
    this.#ports = ports;
    this.#nowMs = nowMs;
  }

  async announceUrgent(id: OrganisationId): Promise<void> {
    const organisation = await this.#read(id);
    const { invalidations, revision } = await this.#urgent(organisation);
    if (invalidations.length > 0) await this.#announce(organisation, { revision, invalidations, published: false });
  }

  async publish(id: OrganisationId, { again = false }: { again?: boolean } = {}): Promise<void> {
    const { truth } = this.#world;
    const organisation = await this.#read(id);
    const unlock = await truth.lock(organisation, this.#owner);
    try {
      await this.#world.scheduler.sleep(this.#world.random.between(0.5, 5));
      // What stands in the store, and beside it one moment of the database.
      const stored = this.#ports.parts.getManifest(id);
      stored.catch(() => undefined);
      const { epoch, outbox, revision, slug } = organisation;
      if (!again && outbox.every((row) => row.published)) return;
      const { jws, parts } = manifestOf(this.#world, organisation, this.#nowMs());
      const urgent = await this.#urgent(organisation);
      const store = async (held: ReadonlySet<string>): Promise<void> => {
        const others = parts.filter(({ hash }) => !held.has(hash));
        const hashes = others.map(({ hash }) => hash);
        const missing = new Set<string>(await this.#ports.parts.missing(id, hashes));
        const sent = others.filter((part) => missing.has(part.hash));
        if (await this.#ports.parts.putManifest(id, { epoch, revision }, jws, sent)) return;
        await this.#ports.parts.removeManifest(id);
        await this.#ports.parts.putManifest(id, { epoch, revision }, jws, sent);
      };
      await store(again ? new Set() : this.#partsOf(id, await stored));
      await this.#announce(organisation, { revision, invalidations: urgent.invalidations, published: true });
      if ((await this.#ports.directory.getOrganisation(slug)) === null) {
        await store(new Set());
        await this.restoreDirectory({ organisationId: id });
      }
      for (const row of outbox) if (row.revision <= revision) row.published = true;
    } finally {
      unlock();
    }
  }

  async restoreDirectory({ organisationId }: { organisationId: OrganisationId }): Promise<void> {
    const organisation = await this.#read(organisationId);
    const { revision, slug, tokens } = organisation;
    const entries = [...tokens.values()].map((token) => this.#entry(organisation, token));
    const jws = this.#world.signatures.sign('organisationEntry', { organisationId, slug });
    await this.#ports.directory.putTokens(organisationId, revision, entries);
    // Last: it is the sign that the rest is there.
    await this.#ports.directory.putOrganisation(slug, jws);
  }

  async #read(id: OrganisationId): Promise<Organisation> {
    await this.#world.scheduler.sleep(this.#world.random.between(0.3, 2));
    const organisation = this.#world.truth.byId(id);
    if (organisation === undefined) throw new Error(`no organisation ${id}`);
    return organisation;
  }

  async #urgent(organisation: Organisation): Promise<{ revision: Revision; invalidations: Invalidation[] }> {
    const { id, outbox, revision, tokens } = organisation;
    const rows = outbox.filter(({ published }) => !published);
    const ids = new Set(rows.flatMap(({ tokenIds }) => tokenIds));
    const entries = [...tokens.values()].filter(({ tokenId }) => ids.has(tokenId)).map((token) => this.#entry(organisation, token));
    const invalidations = rows.flatMap((row) => row.invalidations);
    if (entries.length > 0) await this.#ports.directory.putTokens(id, revision, entries);
    return { revision, invalidations };
  }

  #entry(organisation: Organisation, token: Token): { tokenHash: TokenHash; jws: string } {
    return { tokenHash: token.hash, jws: this.#world.signatures.sign('tokenEntry', entryOf(organisation, token)) };
  }

  /** Of a manifest that is ours. */
  #partsOf(id: OrganisationId, jws: string | null): ReadonlySet<string> {
    const manifest = jws === null ? null : (this.#world.signatures.payloadOf('manifest', jws) as Manifest | null);
    return new Set(manifest?.organisationId === id ? manifest.parts.map(({ hash }) => hash) : []);
  }

  async #announce(
    { epoch, id }: Organisation,
    said: { revision: number; invalidations: Invalidation[]; published: boolean },
  ): Promise<void> {
    const announcement = { organisationId: id, epoch, ...said };
    await this.#ports.bus.publish('revisions', this.#world.signatures.sign('announcement', announcement));
  }
}
