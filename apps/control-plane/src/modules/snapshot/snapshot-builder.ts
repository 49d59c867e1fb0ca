import { Injectable } from '@nestjs/common';
import { Invalidation, type Manifest, type OrganisationId, type OrganisationSlug, type PartHash, type Revision } from '@patchbay/contracts';
import { Platform } from '../../platform.ts';
import type { Position, Tx } from '../../prisma/index.ts';
import { buildParts, manifestLine, needsOf, type BuiltPart } from './builder.ts';
import { readOrganisation } from './directory-rows.repository.ts';
import { openingsFor } from './openings.ts';
import { rowsSince } from './outbox.repository.ts';
import { acceptedCatalogue, readTenantRows, type TenantRows } from './tenant-rows.repository.ts';

/** How long manifests repeat what pods must forget. */
export const INVALIDATIONS_MS = 10 * 60_000;
/** Organisations whose parts are kept at hand while pods fetch them one by one. */
const PRESENT_MAX = 16;

/** All that a snapshot is made of, as of one moment. */
export type Readings = Position & { readonly rows: TenantRows; readonly recent: readonly Invalidation[] };

export type BuiltSnapshot = { readonly jws: string; readonly parts: readonly BuiltPart[] };

/** Makes snapshots from the database alone: what the stores hold is for readers, never for us. */
@Injectable()
export class SnapshotBuilder {
  readonly #present = new Map<OrganisationId, readonly BuiltPart[]>();

  constructor(private readonly platform: Platform) {}

  /** To be called in a repeatable-read transaction. Null: there is no such organisation. */
  async read(tx: Tx, organisationId: OrganisationId): Promise<Readings | null> {
    const organisation = await readOrganisation(tx, organisationId);
    if (organisation === null) return null;
    const now = this.platform.clock.now();
    const recent = await rowsSince(tx, organisationId, new Date(now.getTime() - INVALIDATIONS_MS));
    return {
      organisationId,
      slug: organisation.slug as OrganisationSlug,
      epoch: organisation.epoch,
      revision: organisation.revision as Revision,
      rows: await readTenantRows(tx, organisationId, now),
      recent: recent.flatMap((row) => Invalidation.array().parse(row.invalidations)),
    };
  }

  async build({ organisationId, slug, epoch, revision, rows, recent }: Readings): Promise<BuiltSnapshot> {
    const openings = openingsFor((await this.platform.lookups.positions()).length, this.platform.config.egressAllow);
    const parts = buildParts({ id: organisationId, slug }, rows, openings);
    const manifest: Manifest = {
      format: 1,
      organisationId,
      organisationSlug: slug,
      epoch,
      revision,
      issuedAtMs: this.platform.clock.now().getTime(),
      needs: needsOf(parts),
      parts: parts.map(manifestLine),
      invalidations: [...recent],
    };
    return { jws: await this.platform.signer.sign('manifest', manifest), parts };
  }

  /** Null for a catalogue that a newer discovery has replaced meanwhile: the revision that did so is published next. */
  async bytesOf(organisationId: OrganisationId, { bytes, hash, key }: BuiltPart): Promise<Buffer | null> {
    if (bytes !== null) return bytes;
    const accepted = await this.platform.database.withOrganisation(organisationId, (tx) =>
      acceptedCatalogue(tx, organisationId, { serverId: key, hash }),
    );
    return accepted === null ? null : Buffer.from(accepted);
  }

  /** The organisation's present manifest, signed. Its parts are at hand afterwards. */
  async presentManifest(organisationId: OrganisationId): Promise<string | null> {
    return (await this.#buildPresent(organisationId))?.jws ?? null;
  }

  /** A part of the present snapshot; null for any other. */
  async presentPart(organisationId: OrganisationId, hash: PartHash): Promise<Buffer | null> {
    const atHand = this.#present.get(organisationId);
    const among = (parts: readonly BuiltPart[] | undefined): BuiltPart | undefined =>
      new Map(parts?.map((each) => [each.hash, each])).get(hash);
    const part = among(atHand) ?? among((await this.#buildPresent(organisationId))?.parts);
    return part === undefined ? null : this.bytesOf(organisationId, part);
  }

  async #buildPresent(organisationId: OrganisationId): Promise<BuiltSnapshot | null> {
    const readings = await this.platform.database.withOrganisation(organisationId, (tx) => this.read(tx, organisationId), {
      repeatableRead: true,
    });
    if (readings === null) return null;
    const built = await this.build(readings);
    this.#present.delete(organisationId);
    this.#present.set(organisationId, built.parts);
    for (const oldest of this.#present.keys()) {
      if (this.#present.size <= PRESENT_MAX) break;
      this.#present.delete(oldest);
    }
    return built;
  }
}
