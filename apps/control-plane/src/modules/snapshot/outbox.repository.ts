import type { Invalidation, OrganisationId, Revision, TokenId } from '@patchbay/contracts';
import type { Tx } from '../../prisma/index.ts';

/** An invalidation before its revision is known. */
type Unrevised<T> = T extends unknown ? Omit<T, 'revision'> : never;
type Forget = Unrevised<Invalidation>;

/** What pods have to forget, and the tokens whose directory entries are written anew. */
export type Change = { readonly forget?: readonly Forget[]; readonly tokenIds?: readonly TokenId[] };

/** Takes the next revision and leaves it in the outbox, ids only. Locks the organisation until the transaction ends. */
export async function record(tx: Tx, organisationId: OrganisationId, { forget = [], tokenIds = [] }: Change = {}): Promise<Revision> {
  const { revision } = await tx.organisation.update({
    where: { id: organisationId },
    data: { revision: { increment: 1 } },
    select: { revision: true },
  });
  const invalidations = forget.map((item) => ({ ...item, revision }));
  await tx.outbox.create({ data: { organisationId, revision, invalidations, tokenIds: [...tokenIds] } });
  return revision as Revision;
}

/**
 * Waits until no other control plane publishes this organisation, and keeps the others waiting until the transaction ends. Its commit does not
 * wait for the disk: what is lost with it is published again.
 */
export async function lockPublishing(tx: Tx, organisationId: OrganisationId): Promise<void> {
  await tx.$queryRaw`select 1 from (
    select pg_advisory_xact_lock(hashtextextended(${organisationId}, 7270)), set_config('synchronous_commit', 'off', true)) as locked`;
}

/** Of a change that is not published: what pods must forget, and the tokens whose directory entries are written. */
export type UntoldRow = { readonly invalidations: unknown; readonly tokenIds: readonly string[] };

/** The organisation's position and what is not published of it, as of one moment; in the order of revisions. Null: there is none. */
export async function readUntold(
  tx: Tx,
  organisationId: OrganisationId,
): Promise<{ readonly epoch: number; readonly revision: number; readonly untold: readonly UntoldRow[] } | null> {
  const [row] = await tx.$queryRaw<{ epoch: number; revision: number; untold: UntoldRow[] }[]>`
    select o.epoch, o.revision, (
      select coalesce(json_agg(json_build_object('invalidations', x.invalidations, 'tokenIds', coalesce(x.token_ids, '{}'))
        order by x.revision), '[]') from outbox x where x.organisation_id = o.id and x.published_at is null
    ) as untold from organisations o where o.id = ${organisationId}::uuid`;
  return row ?? null;
}

/** Marks everything up to and with `revision` as told. */
export async function markPublished(
  tx: Tx,
  organisationId: OrganisationId,
  { revision, at }: { revision: Revision; at: Date },
): Promise<void> {
  await tx.outbox.updateMany({ where: { organisationId, revision: { lte: revision }, publishedAt: null }, data: { publishedAt: at } });
}
