import { Injectable } from '@nestjs/common';
import { Invalidation, type Manifest, type OrganisationId, type OrganisationSlug, type PartHash, type Revision } from '@patchbay/contracts';
import { Platform } from '../../platform.ts';
import type { Position, Tx } from '../../prisma/index.ts';
import { buildParts, manifestLine, needsOf, type BuiltPart } from './builder.ts';
import { NamesKept, type NamesByServer } from './held-names.ts';
import { openingsFor } from './openings.ts';
import { acceptedCatalogue, readTenantRows, type TenantRows } from './tenant-rows.repository.ts';

/** How long manifests repeat what pods must forget. */
export const INVALIDATIONS_MS = 10 * 60_000;
/** Organisations whose parts are kept at hand while pods fetch them one by one. */
const PRESENT_MAX = 16;

/** All that a snapshot is made of, as of one moment. */
export type Readings = Position & { readonly rows: TenantRows; readonly names: NamesByServer };

export type BuiltSnapshot = { readonly jws: string; readonly parts: readonly BuiltPart[] };

/** Makes snapshots from the database alone: what the stores hold is for readers, never for us. */
@Injectable()
export class SnapshotBuilder {
  readonly #names = new NamesKept();
  readonly #present = new Map<OrganisationId, readonly BuiltPart[]>();

  constructor(private readonly platform: Platform) {}

  /** One moment of the database, whatever the transaction. Null: there is no such organisation. */
  async read(tx: Tx, organisationId: OrganisationId): Promise<Readings | null> {
    const now = this.platform.clock.now();
    const since = new Date(now.getTime() - INVALIDATIONS_MS);
    const known = this.#names.of(organisationId);
    const rows = await readTenantRows(tx, organisationId, { now, since, seed: this.#names.seed, known });
    if (rows === null) return null;
    const { slug, epoch, revision, servers } = rows;
    const position = { organisationId, slug: slug as OrganisationSlug, epoch, revision: revision as Revision };
    return { ...position, rows, names: this.#names.read(organisationId, servers, known) };
  }

  async build({ organisationId, slug, epoch, revision, rows, names }: Readings): Promise<BuiltSnapshot> {
    const openings = openingsFor(rows.organisations, this.platform.config.egressAllow);
    const parts = buildParts({ id: organisationId, slug }, { rows, names }, openings);
    const manifest: Manifest = {
      format: 1,
      organisationId,
      organisationSlug: slug,
      epoch,
      revision,
      issuedAtMs: this.platform.clock.now().getTime(),
      needs: needsOf(parts),
      parts: parts.map(manifestLine),
      invalidations: rows.recent.flatMap((each) => Invalidation.array().parse(each)),
    };
    return { jws: await this.platform.signer.sign('manifest', manifest), parts };
  }

  /** Null for a catalogue that a newer discovery has replaced meanwhile: the revision that did so is published next. */
  async bytesOf(tx: Tx, organisationId: OrganisationId, { bytes, hash, key }: BuiltPart): Promise<Buffer | null> {
    if (bytes !== null) return bytes;
    const accepted = await acceptedCatalogue(tx, organisationId, { serverId: key, hash });
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
    if (part === undefined) return null;
    return this.platform.database.withOrganisation(organisationId, (tx) => this.bytesOf(tx, organisationId, part));
  }

  async #buildPresent(organisationId: OrganisationId): Promise<BuiltSnapshot | null> {
    const readings = await this.platform.database.withOrganisation(organisationId, (tx) => this.read(tx, organisationId));
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
