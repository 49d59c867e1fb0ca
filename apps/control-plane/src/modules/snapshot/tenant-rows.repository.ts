import type { OrganisationId } from '@patchbay/contracts';
import type { Grant, Limit, Tx } from '../../prisma/index.ts';
import type { ProfileColumns } from './client-profile.ts';
import type { NamesByServer } from './held-names.ts';
import type { UntoldRow } from './outbox.repository.ts';

/** What a server's part is made of, and its accepted catalogue's line. */
export type ServerRow = ProfileColumns & {
  readonly id: string;
  readonly slug: string;
  readonly kind: string;
  readonly url: string | null;
  readonly isolation: string;
  readonly connectMs: number;
  readonly requestMs: number;
  readonly generation: string;
  readonly catalogueMode: string;
  readonly sampling: string;
  readonly hasCredential: boolean;
  readonly catalogueHash: string | null;
  readonly catalogueLength: number;
  /** When it was last discovered well, where a later discovery failed. */
  readonly silentSince: string | null;
  /** Of the bare names that it holds; null when there are none. */
  readonly namesStamp: string | null;
  /** Those names, by kind and name; null where the reader has those of this stamp. */
  readonly names: readonly (readonly [kind: string, name: string])[] | null;
};

export type GrantRow = Pick<Grant, 'id' | 'subjectKind' | 'userId' | 'serverId' | 'mode' | 'names'>;
export type LimitRow = Omit<Limit, 'organisationId' | 'createdAt' | 'updatedAt'>;

/** All that a snapshot of one organisation is made of, as of one moment. */
export type TenantRows = ProfileColumns & {
  readonly slug: string;
  readonly epoch: number;
  readonly revision: number;
  /** How many the installation has. */
  readonly organisations: number;
  readonly allowedOrigins: readonly string[];
  readonly servers: readonly ServerRow[];
  readonly grants: readonly GrantRow[];
  readonly limits: readonly LimitRow[];
  /** Hashes of tokens that were revoked and have not expired. */
  readonly revokedTokens: readonly string[];
  /** Of changes since `since`, told or not, in their order. */
  readonly recent: readonly unknown[];
  readonly untold: readonly UntoldRow[];
};

/**
 * Reads the transaction's own organisation; null when it does not exist. One statement, so that it is one moment without a transaction of
 * its own kind, and one round trip. Of the bare names, most of its rows by far, only those that the reader does not know come over.
 */
export async function readTenantRows(
  tx: Tx,
  organisationId: OrganisationId,
  { now, since, seed, known }: { now: Date; since: Date; seed: bigint; known: NamesByServer },
): Promise<TenantRows | null> {
  const stamps = [...known.values()].map(({ stamp }) => stamp);
  const [row] = await tx.$queryRaw<{ rows: TenantRows }[]>`
    with held as (
      select server_id, count(*) || ':' || sum(hashtextextended(kind || ' ' || name, ${seed}::bigint)) as stamp
      from bare_names where organisation_id = ${organisationId}::uuid group by server_id
    ), known as (select * from unnest(${[...known.keys()]}::uuid[], ${stamps}::text[]) as known (server_id, stamp))
    select json_build_object(
      'slug', o.slug, 'epoch', o.epoch, 'revision', o.revision, 'allowedOrigins', o.allowed_origins,
      'nameLengthMax', o.name_length_max, 'namePunctuation', o.name_punctuation, 'toolsMax', o.tools_max,
      'organisations', (select count(*) from organisation_positions()),
      'servers', (select coalesce(json_agg(json_build_object(
          'id', s.id, 'slug', s.slug, 'kind', s.kind, 'url', s.url, 'isolation', s.isolation,
          'connectMs', s.connect_ms, 'requestMs', s.request_ms, 'generation', s.generation, 'catalogueMode', s.catalogue_mode,
          'sampling', s.sampling, 'nameLengthMax', s.name_length_max, 'namePunctuation', s.name_punctuation, 'toolsMax', s.tools_max,
          'hasCredential', exists (select from server_secrets x where x.organisation_id = o.id and x.server_id = s.id and x.kind = 'header'),
          'catalogueHash', case when c.accepted is not null then c.accepted_hash end,
          'catalogueLength', coalesce(octet_length(c.accepted), 0),
          'silentSince', case when c.accepted is not null and c.error is not null then c.discovered_at end,
          'namesStamp', held.stamp,
          'names', case when held.stamp is distinct from known.stamp then (
            select json_agg(json_build_array(b.kind, b.name) order by b.kind, b.name) from bare_names b
            where b.organisation_id = o.id and b.server_id = s.id) end
        ) order by s.id), '[]')
        from servers s
        left join server_catalogues c on c.organisation_id = o.id and c.server_id = s.id
        left join held on held.server_id = s.id left join known on known.server_id = s.id
        where s.organisation_id = o.id),
      'grants', (select coalesce(json_agg(json_build_object(
          'id', g.id, 'subjectKind', g.subject_kind, 'userId', g.user_id, 'serverId', g.server_id, 'mode', g.mode,
          'names', coalesce(g.names, '{}')
        ) order by g.id), '[]') from grants g where g.organisation_id = o.id),
      'limits', (select coalesce(json_agg(json_build_object(
          'id', l.id, 'name', l.name, 'mode', l.mode, 'per', coalesce(l.per, '{}'), 'subjectKind', l.subject_kind, 'userId', l.user_id,
          'tokenId', l.token_id, 'serverId', l.server_id, 'tool', l.tool, 'windowSeconds', coalesce(l.window_seconds, '{}'),
          'windowMax', coalesce(l.window_max, '{}'), 'concurrency', l.concurrency
        ) order by l.id), '[]') from limits l where l.organisation_id = o.id),
      'revokedTokens', (select coalesce(json_agg(t.token_hash), '[]') from personal_tokens t
        where t.organisation_id = o.id and t.revoked_at is not null and t.expires_at > ${now}::timestamptz),
      'recent', (select coalesce(json_agg(x.invalidations order by x.revision), '[]') from outbox x
        where x.organisation_id = o.id and x.created_at > ${since}::timestamptz and x.invalidations <> '[]'),
      'untold', (select coalesce(json_agg(json_build_object('invalidations', x.invalidations, 'tokenIds', coalesce(x.token_ids, '{}'))
        order by x.revision), '[]') from outbox x where x.organisation_id = o.id and x.published_at is null)
    ) as rows from organisations o where o.id = ${organisationId}::uuid`;
  return row?.rows ?? null;
}

/** An accepted catalogue's bytes; null when another one, or none, is accepted by now. */
export async function acceptedCatalogue(
  tx: Tx,
  organisationId: OrganisationId,
  { serverId, hash }: { serverId: string; hash: string },
): Promise<Uint8Array | null> {
  const row = await tx.serverCatalogue.findFirst({ where: { organisationId, serverId, acceptedHash: hash }, select: { accepted: true } });
  return row?.accepted ?? null;
}
