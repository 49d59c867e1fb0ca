import { Platform } from '../../platform.ts';
import { Injectable } from '@nestjs/common';
import { Invalidation, type Manifest, type OrganisationId, type OrganisationSlug, type PartHash, type Revision } from '@patchbay/contracts';
import { type Position, type Tx } from '../../prisma/index.ts';
import { buildParts, manifestLine, needsOf, type BuiltPart } from './builder.ts';
import { readOrganisation, tokensById, unexpiredTokens } from './directory-rows.repository.ts';
import { openingsFor } from './openings.ts';
import { lockPublishing, markPublished, rowsSince, unpublishedRows } from './outbox.repository.ts';
import { acceptedCatalogue, readTenantRows, type TenantRows } from './tenant-rows.repository.ts';
import { putTokenEntries } from './token-entries.ts';

/** How long manifests repeat what pods must forget. */
export const INVALIDATIONS_MS = 10 * 60_000;
/** A pod that is reading the manifest before this one still finds its parts. */
const PARTS_KEPT_MS = 15 * 60_000;
/** Keeps an announcement under the bus's limit. */
const ANNOUNCED_MAX = 25;
const PUBLISH_TIMEOUT_MS = 60_000;

type State = Position & { readonly invalidations: Invalidation[] };
type Built = State & { readonly rows: TenantRows; readonly recent: Invalidation[] };

/** Turns an organisation's rows into what pods read. Every step may be repeated: a killed publisher's successor does all of it again. */
@Injectable()
export class RevisionPublisher {
  constructor(private readonly platform: Platform) {}

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

  async #read(tx: Tx, organisationId: OrganisationId): Promise<Built | null> {
    const state = await this.#urgent(tx, organisationId);
    if (state === null) return null;
    const since = new Date(this.platform.clock.now().getTime() - INVALIDATIONS_MS);
    const recent = await rowsSince(tx, organisationId, since);
    const rows = await readTenantRows(tx, organisationId, this.platform.clock.now());
    return { ...state, rows, recent: recent.flatMap((row) => readInvalidations(row.invalidations)) };
  }

  /** The hashes of all parts that the stored manifest names. */
  async #store({ organisationId, slug, epoch, revision, rows, recent }: Built): Promise<PartHash[]> {
    const openings = openingsFor((await this.platform.lookups.positions()).length, this.platform.config.egressAllow);
    const parts = buildParts({ id: organisationId, slug }, rows, openings);
    await this.#storeParts(organisationId, parts);
    const manifest: Manifest = {
      format: 1,
      organisationId,
      organisationSlug: slug,
      epoch,
      revision,
      issuedAtMs: this.platform.clock.now().getTime(),
      needs: needsOf(parts),
      parts: parts.map(manifestLine),
      invalidations: recent,
    };
    await this.platform.stores.parts.putManifest(
      organisationId,
      { epoch, revision },
      await this.platform.signer.sign('manifest', manifest),
    );
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
    for (const { hash, key, bytes } of parts) {
      if (!missing.has(hash)) continue;
      const found = bytes ?? (await this.#catalogue(organisationId, key, hash));
      if (found !== null) stored.push({ hash, bytes: found });
    }
    if (stored.length > 0) await this.platform.stores.parts.putParts(organisationId, stored);
  }

  /** null when a newer discovery has replaced it meanwhile: the revision that did so is published next. */
  async #catalogue(organisationId: OrganisationId, serverId: string, hash: PartHash): Promise<Buffer | null> {
    const accepted = await this.platform.database.withOrganisation(organisationId, (tx) =>
      acceptedCatalogue(tx, organisationId, { serverId, hash }),
    );
    return accepted === null ? null : Buffer.from(accepted);
  }

  async #announce({ organisationId, epoch, revision, invalidations }: State): Promise<void> {
    for (let from = 0; from === 0 || from < invalidations.length; from += ANNOUNCED_MAX) {
      const announcement = { organisationId, epoch, revision, invalidations: invalidations.slice(from, from + ANNOUNCED_MAX) };
      await this.platform.stores.bus.publish('revisions', await this.platform.signer.sign('announcement', announcement));
      this.platform.meters.announced();
    }
  }
}

function readInvalidations(value: unknown): Invalidation[] {
  return Invalidation.array().parse(value);
}
