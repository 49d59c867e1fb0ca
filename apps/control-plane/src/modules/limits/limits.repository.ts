import { Injectable } from '@nestjs/common';
import type { LimitId, OrganisationId } from '@patchbay/contracts';
import type { Limit, Tx } from '../../prisma/index.ts';

/** A limit with the slug of its server. */
export type LimitRow = Limit & { readonly server: { readonly slug: string } | null };

const WITH_SERVER = { server: { select: { slug: true } } } as const;

/** Rows of limits, inside a transaction of their organisation. */
@Injectable()
export class LimitsRepository {
  async page(tx: Tx, organisationId: OrganisationId, { after, take }: { after: string | null; take: number }): Promise<LimitRow[]> {
    return tx.limit.findMany({
      where: { organisationId, ...(after === null ? {} : { id: { gt: after } }) },
      orderBy: { id: 'asc' },
      take,
      include: WITH_SERVER,
    });
  }

  async count(tx: Tx, organisationId: OrganisationId): Promise<number> {
    return tx.limit.count({ where: { organisationId } });
  }

  async find(tx: Tx, organisationId: OrganisationId, id: LimitId): Promise<LimitRow | null> {
    return tx.limit.findUnique({ where: { organisationId_id: { organisationId, id } }, include: WITH_SERVER });
  }

  /** The id of a server that stays until the transaction ends: a removal that committed first makes it null. */
  async lockedServer(tx: Tx, organisationId: OrganisationId, slug: string): Promise<string | null> {
    const rows = await tx.$queryRaw<{ id: string }[]>`
      select id from servers where organisation_id = ${organisationId}::uuid and slug = ${slug} for key share`;
    return rows[0]?.id ?? null;
  }

  async hasUser(tx: Tx, organisationId: OrganisationId, id: string): Promise<boolean> {
    const rows = await tx.$queryRaw<object[]>`
      select 1 from users where organisation_id = ${organisationId}::uuid and id = ${id}::uuid for key share`;
    return rows.length > 0;
  }

  /** Whether there is such a token that is not revoked; it is not until the transaction ends. */
  async hasToken(tx: Tx, organisationId: OrganisationId, id: string): Promise<boolean> {
    const rows = await tx.$queryRaw<object[]>`
      select 1 from personal_tokens where organisation_id = ${organisationId}::uuid and id = ${id}::uuid and revoked_at is null for share`;
    return rows.length > 0;
  }

  async create(tx: Tx, row: Limit): Promise<LimitRow> {
    return tx.limit.create({ data: row, include: WITH_SERVER });
  }

  /** null when it was changed or removed since `readAt`, its `updatedAt` by then. */
  async update(tx: Tx, { organisationId, id, ...row }: Limit, readAt: Date): Promise<LimitRow | null> {
    const { count } = await tx.limit.updateMany({ where: { organisationId, id, updatedAt: readAt }, data: row });
    return count === 0 ? null : tx.limit.findUnique({ where: { organisationId_id: { organisationId, id } }, include: WITH_SERVER });
  }

  /** False when there is none. */
  async remove(tx: Tx, organisationId: OrganisationId, id: LimitId): Promise<boolean> {
    return (await tx.limit.deleteMany({ where: { organisationId, id } })).count > 0;
  }
}
