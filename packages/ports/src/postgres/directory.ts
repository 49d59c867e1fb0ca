import type { DirectoryAnswer, OrganisationId, Revision, TokenHash } from '@patchbay/contracts';
import type { Pool } from 'pg';
import type { Directory, NewTokenEntry } from '../directory.ts';

/** Directory entries as rows, and one row an organisation with the revision up to which they are true. */
export class PostgresDirectory implements Directory {
  readonly #pool: Pool;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  async putTokens(organisationId: OrganisationId, revision: Revision, entries: readonly NewTokenEntry[]): Promise<void> {
    const byHash = new Map(entries.map((entry) => [entry.tokenHash, entry]));
    // Always in the same order, so that two writers wait for each other instead of blocking each other.
    const rows = [...byHash.values()].sort((a, b) => (a.tokenHash < b.tokenHash ? -1 : 1));
    await this.#pool.query(
      `with raised as (
         insert into ports.directory_revisions as stored (organisation_id, revision) values ($1, $2)
         on conflict (organisation_id) do update set revision = greatest(stored.revision, excluded.revision)
         returning organisation_id
       )
       insert into ports.directory_tokens as stored (organisation_id, token_hash, revision, jws, expires_at)
       select raised.organisation_id, entry.token_hash, $2, entry.jws, to_timestamp(entry.expires_at_ms / 1000)
       from raised, unnest($3::text[], $4::text[], $5::double precision[]) as entry (token_hash, jws, expires_at_ms)
       on conflict (organisation_id, token_hash) do update
         set revision = excluded.revision, jws = excluded.jws, expires_at = excluded.expires_at
       where stored.revision <= excluded.revision`,
      [
        organisationId,
        revision,
        rows.map(({ tokenHash }) => tokenHash),
        rows.map(({ jws }) => jws),
        rows.map(({ expiresAtMs }) => expiresAtMs ?? null),
      ],
    );
  }

  async removeExpiredTokens(): Promise<number> {
    const { rowCount } = await this.#pool.query('delete from ports.directory_tokens where expires_at <= clock_timestamp()');
    return rowCount ?? 0;
  }

  async getToken(organisationId: OrganisationId, tokenHash: TokenHash): Promise<DirectoryAnswer> {
    // One statement sees one moment: the revision can never be newer than the entry beside it.
    const { rows } = await this.#pool.query<{ entry: string | null; revision: string }>({
      name: 'ports.token',
      text: `select
        (select jws from ports.directory_tokens where organisation_id = $1 and token_hash = $2) as entry,
        coalesce((select revision from ports.directory_revisions where organisation_id = $1), 0) as revision`,
      values: [organisationId, tokenHash],
    });
    return { entry: rows[0]?.entry ?? null, revision: Number(rows[0]?.revision ?? 0) as Revision };
  }

  async putOrganisation(slug: string, jws: string): Promise<void> {
    await this.#pool.query(
      `insert into ports.directory_organisations (slug, jws) values ($1, $2) on conflict (slug) do update set jws = excluded.jws`,
      [slug, jws],
    );
  }

  async getOrganisation(slug: string): Promise<string | null> {
    const { rows } = await this.#pool.query<{ jws: string }>({
      name: 'ports.organisation',
      text: 'select jws from ports.directory_organisations where slug = $1',
      values: [slug],
    });
    return rows[0]?.jws ?? null;
  }
}
