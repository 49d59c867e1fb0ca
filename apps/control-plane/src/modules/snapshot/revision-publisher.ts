import { Platform } from '../../platform.ts';
import { Injectable } from '@nestjs/common';
import { Invalidation, type OrganisationId, type OrganisationSlug, type PartHash, type Revision } from '@patchbay/contracts';
import type { ManifestPosition } from '@patchbay/ports';
import { type Position, type Tx } from '../../prisma/index.ts';
import type { BuiltPart } from './builder.ts';
import { readOrganisation, tokensById, unexpiredTokens } from './directory-rows.repository.ts';
import { lockPublishing, markPublished, unpublishedRows } from './outbox.repository.ts';
import { SnapshotBuilder, type Readings } from './snapshot-builder.ts';
import { putTokenEntries } from './token-entries.ts';

/** A pod that is reading the manifest before this one still finds its parts. */
const PARTS_KEPT_MS = 15 * 60_000;
/** Keeps an announcement under the bus's limit. */
const ANNOUNCED_MAX = 25;
const PUBLISH_TIMEOUT_MS = 60_000;

type State = Position & { readonly invalidations: Invalidation[] };

/** Turns an organisation's rows into what pods read. Every step may be repeated: a killed publisher's successor does all of it again. */
@Injectable()
export class RevisionPublisher {
  constructor(
    private readonly platform: Platform,
    private readonly snapshots: SnapshotBuilder,
  ) {}

  /** What may not wait for a compile: directory entries of changed tokens, then the word to forget the old ones. */
  async announceUrgent(organisationId: OrganisationId): Promise<void> {
    const state = await this.platform.database.withOrganisation(organisationId, (tx) => this.#urgent(tx, organisationId), {
      repeatableRead: true,
    });
    if (state !== null && state.invalidations.length > 0) await this.#announce(state);
  }

  /** Publishes the organisation's present revision and marks it as told. Waits while another control plane does the same. */
  async publish(organisationId: OrganisationId): Promise<void> {
    const startedAt = performance.now();
    const ended = (result: 'ok' | 'failed'): void => this.platform.meters.published(result, (performance.now() - startedAt) / 1_000);
    try {
      const attributes = { 'patchbay.organisation.id': organisationId };
      await this.platform.spans.during('publish revision', attributes, () => this.#publish(organisationId));
      ended('ok');
    } catch (error) {
      ended('failed');
      throw error;
    }
  }

  async #publish(organisationId: OrganisationId): Promise<void> {
    const named = await this.platform.database.withOrganisation(
      organisationId,
      async (lock) => {
        await lockPublishing(lock, organisationId);
        const built = await this.platform.database.withOrganisation(organisationId, (tx) => this.#read(tx, organisationId), {
          repeatableRead: true,
        });
        if (built === null) return null;
        const at = (await this.platform.stores.parts.getPositions([organisationId])).get(organisationId);
        // Nothing is newer than the rows that we read under the lock: somebody else wrote it, to keep ours from being taken.
        if (at !== undefined && isAfter(at, built)) await this.platform.stores.parts.removeManifest(organisationId);
        const hashes = await this.#store(built);
        // The stores were emptied meanwhile: now that the manifest stands, nobody would look for what else is missing.
        if ((await this.platform.stores.directory.getOrganisation(built.slug)) === null) await this.restoreDirectory(built);
        await this.#announce(built);
        await markPublished(lock, organisationId, { revision: built.revision, at: this.platform.clock.now() });
        return hashes;
      },
      { timeoutMs: PUBLISH_TIMEOUT_MS },
    );
    // Outside the lock: what a publisher after us stores or finds is not old.
    if (named !== null) await this.platform.stores.parts.collectGarbage(organisationId, named, PARTS_KEPT_MS);
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

  async #urgent(tx: Tx, organisationId: OrganisationId): Promise<State | null> {
    const organisation = await readOrganisation(tx, organisationId);
    if (organisation === null) return null;
    const rows = await unpublishedRows(tx, organisationId);
    const tokenIds = rows.flatMap((row) => row.tokenIds);
    const revision = organisation.revision as Revision;
    if (tokenIds.length > 0) {
      const tokens = await tokensById(tx, organisationId, tokenIds);
      await putTokenEntries(this.platform, { organisationId, revision }, tokens);
    }
    const invalidations = rows.flatMap((row) => readInvalidations(row.invalidations));
    return { organisationId, slug: organisation.slug as OrganisationSlug, epoch: organisation.epoch, revision, invalidations };
  }

  async #read(tx: Tx, organisationId: OrganisationId): Promise<(Readings & State) | null> {
    const state = await this.#urgent(tx, organisationId);
    const readings = await this.snapshots.read(tx, organisationId);
    return state === null || readings === null ? null : { ...readings, invalidations: state.invalidations };
  }

  /** The hashes of all parts that the stored manifest names. */
  async #store(readings: Readings): Promise<PartHash[]> {
    const { organisationId, epoch, revision } = readings;
    const { jws, parts } = await this.snapshots.build(readings);
    await this.#storeParts(organisationId, parts);
    await this.platform.stores.parts.putManifest(organisationId, { epoch, revision }, jws);
    return parts.map(({ hash }) => hash);
  }

  async #storeParts(organisationId: OrganisationId, parts: readonly BuiltPart[]): Promise<void> {
    const missing = new Set<string>(
      await this.platform.stores.parts.missing(
        organisationId,
        parts.map(({ hash }) => hash),
      ),
    );
    const stored: { hash: PartHash; bytes: Buffer }[] = [];
    for (const part of parts) {
      if (!missing.has(part.hash)) continue;
      const bytes = await this.snapshots.bytesOf(organisationId, part);
      if (bytes !== null) stored.push({ hash: part.hash, bytes });
    }
    if (stored.length > 0) await this.platform.stores.parts.putParts(organisationId, stored);
  }

  async #announce({ organisationId, epoch, revision, invalidations }: State): Promise<void> {
    for (let from = 0; from === 0 || from < invalidations.length; from += ANNOUNCED_MAX) {
      const announcement = { organisationId, epoch, revision, invalidations: invalidations.slice(from, from + ANNOUNCED_MAX) };
      await this.platform.stores.bus.publish('revisions', await this.platform.signer.sign('announcement', announcement));
      this.platform.meters.announced();
    }
  }
}

function isAfter(one: ManifestPosition, other: ManifestPosition): boolean {
  return one.epoch > other.epoch || (one.epoch === other.epoch && one.revision > other.revision);
}

function readInvalidations(value: unknown): Invalidation[] {
  return Invalidation.array().parse(value);
}
