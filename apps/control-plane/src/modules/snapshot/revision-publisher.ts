import { Platform } from '../../platform.ts';
import { Injectable } from '@nestjs/common';
import { Invalidation, Manifest, type OrganisationId, type OrganisationSlug, type PartHash, type Revision } from '@patchbay/contracts';
import type { StoredPart } from '@patchbay/ports';
import { type Position, type Tx } from '../../prisma/index.ts';
import type { BuiltPart } from './builder.ts';
import { readOrganisation, tokensById, unexpiredTokens } from './directory-rows.repository.ts';
import { lockPublishing, markPublished, readUntold, type UntoldRow } from './outbox.repository.ts';
import { SnapshotBuilder, type Readings } from './snapshot-builder.ts';
import { putTokenEntries } from './token-entries.ts';

/** A pod that is reading the manifest before this one still finds its parts. */
const PARTS_KEPT_MS = 15 * 60_000;
/** Keeps an announcement under the bus's limit. */
const ANNOUNCED_MAX = 25;
const PUBLISH_TIMEOUT_MS = 60_000;
/** Parts up to this size in all are stored in one step with their manifest; the store takes nothing else meanwhile. */
const WITH_MANIFEST_BYTES = 256 * 1024;

const NOTHING: ReadonlySet<PartHash> = new Set();

type Told = Omit<Position, 'slug'> & { readonly invalidations: readonly Invalidation[]; readonly published: boolean };

/** What was published: the parts that the manifest names, and those that only the one before named. */
type Published = { readonly named: readonly PartHash[]; readonly dropped: readonly PartHash[] };

/** Turns an organisation's rows into what pods read. Every step may be repeated: a killed publisher's successor does all of it again. */
@Injectable()
export class RevisionPublisher {
  constructor(
    private readonly platform: Platform,
    private readonly snapshots: SnapshotBuilder,
  ) {}

  /** What may not wait for a compile: directory entries of changed tokens, then the word to forget the old ones. */
  async announceUrgent(organisationId: OrganisationId): Promise<void> {
    const read = await this.platform.database.withOrganisation(organisationId, async (tx) => {
      const untold = await readUntold(tx, organisationId);
      if (untold !== null) await this.#putTokens(tx, { organisationId, ...untold });
      return untold;
    });
    if (read === null) return;
    const { epoch, revision } = read;
    const invalidations = invalidationsOf(read.untold);
    if (invalidations.length > 0)
      await this.#announce({ organisationId, epoch, revision: revision as Revision, invalidations, published: false });
  }

  /**
   * Publishes the organisation's present revision and marks it as told. Waits while another control plane does the same; what it has told by then
   * is told no more, unless it is to be done `again`.
   */
  async publish(organisationId: OrganisationId, { again = false }: { again?: boolean } = {}): Promise<void> {
    const startedAt = performance.now();
    const ended = (result: 'ok' | 'failed'): void => this.platform.meters.published(result, (performance.now() - startedAt) / 1_000);
    try {
      const attributes = { 'patchbay.organisation.id': organisationId };
      await this.platform.spans.during('publish revision', attributes, () => this.#publish(organisationId, again));
      ended('ok');
    } catch (error) {
      ended('failed');
      throw error;
    }
  }

  async #publish(organisationId: OrganisationId, again: boolean): Promise<void> {
    const { database, stores } = this.platform;
    const published = await database.withOrganisation(
      organisationId,
      async (tx) => {
        await lockPublishing(tx, organisationId);
        const [readings, stored] = await Promise.all([this.snapshots.read(tx, organisationId), this.#storedParts(organisationId)]);
        if (readings === null || (readings.rows.untold.length === 0 && !again)) return null;
        // Done again because something may be missing: nothing is taken to be there.
        return this.#tell(tx, readings, { stored, held: again ? NOTHING : stored });
      },
      { timeoutMs: PUBLISH_TIMEOUT_MS },
    );
    if (published === null) return;
    // Outside the lock: what a publisher after us stores or finds is not old. What was named until now is not old either.
    if (published.dropped.length > 0) await stores.parts.missing(organisationId, published.dropped);
    await stores.parts.collectGarbage(organisationId, published.named, PARTS_KEPT_MS);
  }

  /** `stored`: what the manifest that stands names; `held`: what of it need not be looked for. */
  async #tell(
    tx: Tx,
    readings: Readings,
    { stored, held }: { stored: ReadonlySet<PartHash>; held: ReadonlySet<PartHash> },
  ): Promise<Published> {
    const { organisationId, epoch, revision, rows, slug } = readings;
    await this.#putTokens(tx, { organisationId, revision, untold: rows.untold });
    const { jws, parts } = await this.snapshots.build(readings);
    const store = (without: ReadonlySet<PartHash>): Promise<void> =>
      this.#store(tx, readings, { jws, parts: parts.filter(({ hash }) => !without.has(hash)) });
    await store(held);
    await this.#announce({ organisationId, epoch, revision, invalidations: invalidationsOf(rows.untold), published: true });
    // The stores were emptied meanwhile: now that the manifest stands, nobody would look for what else is missing.
    if ((await this.platform.stores.directory.getOrganisation(slug)) === null) {
      await store(NOTHING);
      await this.restoreDirectory(readings);
    }
    await markPublished(tx, organisationId, { revision, at: this.platform.clock.now() });
    const named = parts.map(({ hash }) => hash);
    const isNamed = new Set(named);
    return { named, dropped: [...stored].filter((hash) => !isNamed.has(hash)) };
  }

  /** Writes the whole directory of one organisation: after a crash of Postgres its unlogged tables are empty. */
  async restoreDirectory({ organisationId, slug }: { organisationId: OrganisationId; slug: OrganisationSlug }): Promise<void> {
    const { organisation, tokens } = await this.platform.database.withOrganisation(
      organisationId,
      async (tx) => ({
        organisation: await readOrganisation(tx, organisationId),
        tokens: await unexpiredTokens(tx, organisationId, this.platform.clock.now()),
      }),
      { repeatableRead: true },
    );
    if (organisation === null) return;
    await putTokenEntries(this.platform, { organisationId, revision: organisation.revision as Revision }, tokens);
    // Last: it is the sign that the rest is there.
    await this.platform.stores.directory.putOrganisation(
      slug,
      await this.platform.signer.sign('organisationEntry', { organisationId, slug }),
    );
  }

  /** Writes the directory entries of tokens that changed: before anybody is told to forget the old ones. */
  async #putTokens(
    tx: Tx,
    { organisationId, revision, untold }: { organisationId: OrganisationId; revision: number; untold: readonly UntoldRow[] },
  ): Promise<void> {
    const tokenIds = untold.flatMap((row) => row.tokenIds);
    if (tokenIds.length === 0) return;
    // May be newer than the revision that they are stamped with, which only makes readers ask again.
    const tokens = await tokensById(tx, organisationId, tokenIds);
    await putTokenEntries(this.platform, { organisationId, revision: revision as Revision }, tokens);
  }

  /** The parts of the manifest that stands in the store: they were stored before it. Of one that is not ours, none. */
  async #storedParts(organisationId: OrganisationId): Promise<ReadonlySet<PartHash>> {
    const { signer, stores } = this.platform;
    const jws = await stores.parts.getManifest(organisationId);
    const manifest = Manifest.safeParse(jws === null ? null : await signer.open('manifest', jws)).data;
    return new Set(manifest?.organisationId === organisationId ? manifest.parts.map(({ hash }) => hash) : []);
  }

  /** Stores the manifest after `parts`, as far as they are not there. */
  async #store(tx: Tx, { organisationId, epoch, revision }: Readings, built: { jws: string; parts: readonly BuiltPart[] }): Promise<void> {
    const { parts: store } = this.platform.stores;
    const at = { epoch, revision };
    const withManifest = await this.#storeLarge(tx, organisationId, built.parts);
    if (await store.putManifest(organisationId, at, built.jws, withManifest)) return;
    // Nothing is newer than the rows that we read under the lock: somebody else wrote it, to keep ours from being taken.
    await store.removeManifest(organisationId);
    await store.putManifest(organisationId, at, built.jws, withManifest);
  }

  /** Of parts that are missing, stores those that together are large; those that are left. */
  async #storeLarge(tx: Tx, organisationId: OrganisationId, parts: readonly BuiltPart[]): Promise<StoredPart[]> {
    const { parts: store } = this.platform.stores;
    const missing = new Set<string>(
      await store.missing(
        organisationId,
        parts.map(({ hash }) => hash),
      ),
    );
    const small: StoredPart[] = [];
    let smallBytes = 0;
    for (const part of parts) {
      if (!missing.has(part.hash)) continue;
      const bytes = await this.snapshots.bytesOf(tx, organisationId, part);
      if (bytes === null) continue;
      smallBytes += bytes.length;
      if (smallBytes <= WITH_MANIFEST_BYTES) small.push({ hash: part.hash, bytes });
      // One at a time: a catalogue can be tens of megabytes.
      else await store.putParts(organisationId, [{ hash: part.hash, bytes }]);
    }
    return small;
  }

  async #announce({ organisationId, epoch, revision, invalidations, published }: Told): Promise<void> {
    for (let from = 0; from === 0 || from < invalidations.length; from += ANNOUNCED_MAX) {
      const some = invalidations.slice(from, from + ANNOUNCED_MAX);
      const announcement = { organisationId, epoch, revision, invalidations: some, published };
      await this.platform.stores.bus.publish('revisions', await this.platform.signer.sign('announcement', announcement));
      this.platform.meters.announced();
    }
  }
}

function invalidationsOf(untold: readonly UntoldRow[]): Invalidation[] {
  return untold.flatMap((row) => Invalidation.array().parse(row.invalidations));
}
