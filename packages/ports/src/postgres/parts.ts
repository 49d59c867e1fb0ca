import type { OrganisationId, PartHash, Revision } from '@patchbay/contracts';
import type { Pool } from 'pg';
import type { ManifestPosition, Parts, StoredPart } from '../parts.ts';

/** Parts and manifests as rows of `ports.parts` and `ports.manifests`. */
export class PostgresParts implements Parts {
  readonly #pool: Pool;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  async putParts(organisationId: OrganisationId, parts: readonly StoredPart[]): Promise<void> {
    // One at a time: a catalogue can be tens of megabytes, and the driver would hold all of them twice.
    for (const { hash, bytes } of parts) {
      await this.#pool.query(
        `insert into ports.parts (organisation_id, hash, bytes) values ($1, $2, $3)
         on conflict (organisation_id, hash) do update set stored_at = clock_timestamp()`,
        [organisationId, hash, bytes],
      );
    }
  }

  /** What is there counts as stored just now, so that no garbage collection takes it before the manifest names it. */
  async missing(organisationId: OrganisationId, hashes: readonly PartHash[]): Promise<PartHash[]> {
    const { rows } = await this.#pool.query<{ hash: PartHash }>(
      'update ports.parts set stored_at = clock_timestamp() where organisation_id = $1 and hash = any($2::text[]) returning hash',
      [organisationId, hashes],
    );
    const stored = new Set(rows.map(({ hash }) => hash));
    return hashes.filter((hash) => !stored.has(hash));
  }

  async getParts(organisationId: OrganisationId, hashes: readonly PartHash[]): Promise<Map<PartHash, Buffer>> {
    const { rows } = await this.#pool.query<{ hash: PartHash; bytes: Buffer }>(
      'select hash, bytes from ports.parts where organisation_id = $1 and hash = any($2::text[])',
      [organisationId, hashes],
    );
    return new Map(rows.map(({ hash, bytes }) => [hash, bytes]));
  }

  async putManifest(
    organisationId: OrganisationId,
    at: ManifestPosition,
    jws: string,
    parts: readonly StoredPart[] = [],
  ): Promise<boolean> {
    const byHash = new Map(parts.map((part) => [part.hash, part.bytes]));
    const { rowCount } = await this.#pool.query(
      `with parts as (
         insert into ports.parts (organisation_id, hash, bytes) select $1, * from unnest($5::text[], $6::bytea[])
         on conflict (organisation_id, hash) do update set stored_at = clock_timestamp()
       )
       insert into ports.manifests as stored (organisation_id, epoch, revision, jws) values ($1, $2, $3, $4)
       on conflict (organisation_id) do update set epoch = excluded.epoch, revision = excluded.revision, jws = excluded.jws
       where (stored.epoch, stored.revision) <= (excluded.epoch, excluded.revision)`,
      [organisationId, at.epoch, at.revision, jws, [...byHash.keys()], [...byHash.values()]],
    );
    return rowCount === 1;
  }

  async removeManifest(organisationId: OrganisationId): Promise<void> {
    await this.#pool.query('delete from ports.manifests where organisation_id = $1', [organisationId]);
  }

  async getManifest(organisationId: OrganisationId): Promise<string | null> {
    const { rows } = await this.#pool.query<{ jws: string }>({
      name: 'ports.manifest',
      text: 'select jws from ports.manifests where organisation_id = $1',
      values: [organisationId],
    });
    return rows[0]?.jws ?? null;
  }

  async getPositions(organisationIds: readonly OrganisationId[]): Promise<Map<OrganisationId, ManifestPosition>> {
    const { rows } = await this.#pool.query<{ organisation_id: OrganisationId; epoch: number; revision: string }>(
      'select organisation_id, epoch, revision from ports.manifests where organisation_id = any($1::uuid[])',
      [organisationIds],
    );
    return new Map(rows.map(({ organisation_id: id, epoch, revision }) => [id, { epoch, revision: Number(revision) as Revision }]));
  }

  async collectGarbage(organisationId: OrganisationId, keep: readonly PartHash[], olderThanMs: number): Promise<number> {
    const { rowCount } = await this.#pool.query(
      `delete from ports.parts where organisation_id = $1 and hash <> all($2::text[])
       and stored_at < clock_timestamp() - $3::double precision * interval '1 millisecond'`,
      [organisationId, keep, olderThanMs],
    );
    return rowCount ?? 0;
  }
}
