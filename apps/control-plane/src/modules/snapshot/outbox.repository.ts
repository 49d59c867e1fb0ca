import type { Invalidation, OrganisationId, Revision, TokenId } from '@patchbay/contracts';
import type { Outbox, Tx } from '../../prisma/index.ts';

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

/** Waits until no other control plane publishes this organisation, and keeps the others waiting until the transaction ends. */
export async function lockPublishing(tx: Tx, organisationId: OrganisationId): Promise<void> {
  await tx.$queryRaw`select 1 from (select pg_advisory_xact_lock(hashtextextended(${organisationId}, 7270)))`;
}

/** In the order of their revisions. */
export async function unpublishedRows(tx: Tx, organisationId: OrganisationId): Promise<Outbox[]> {
  return tx.outbox.findMany({ where: { organisationId, publishedAt: null }, orderBy: { revision: 'asc' } });
}

/** Published or not, in the order of their revisions. */
export async function rowsSince(tx: Tx, organisationId: OrganisationId, since: Date): Promise<Pick<Outbox, 'invalidations'>[]> {
  return tx.outbox.findMany({
    where: { organisationId, createdAt: { gt: since } },
    orderBy: { revision: 'asc' },
    select: { invalidations: true },
  });
}

/** Marks everything up to and with `revision` as told. */
export async function markPublished(
  tx: Tx,
  organisationId: OrganisationId,
  { revision, at }: { revision: Revision; at: Date },
): Promise<void> {
  await tx.outbox.updateMany({ where: { organisationId, revision: { lte: revision }, publishedAt: null }, data: { publishedAt: at } });
}
