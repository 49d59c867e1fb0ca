import { Injectable } from '@nestjs/common';
import type { OrganisationId } from '@patchbay/contracts';
import type { Grant, Tx } from '../../prisma/index.ts';

/** A grant with the slug of its server. */
export type GrantRow = Grant & { readonly server: { readonly slug: string } };

const WITH_SERVER = { server: { select: { slug: true } } } as const;

/** Rows of grants, inside a transaction of their organisation. */
@Injectable()
export class GrantsRepository {
  async page(tx: Tx, organisationId: OrganisationId, { after, take }: { after: string | null; take: number }): Promise<GrantRow[]> {
    return tx.grant.findMany({
      where: { organisationId, ...(after === null ? {} : { id: { gt: after } }) },
      orderBy: { id: 'asc' },
      take,
      include: WITH_SERVER,
    });
  }

  /** The id of a server that stays until the transaction ends: a removal that committed first makes it null. */
  async lockedServer(tx: Tx, organisationId: OrganisationId, slug: string): Promise<string | null> {
    await tx.$queryRaw`select 1 from servers where organisation_id = ${organisationId}::uuid and slug = ${slug} for key share`;
    const row = await tx.server.findUnique({ where: { organisationId_slug: { organisationId, slug } }, select: { id: true } });
    return row?.id ?? null;
  }

  async hasUser(tx: Tx, organisationId: OrganisationId, id: string): Promise<boolean> {
    return (await tx.user.findUnique({ where: { organisationId_id: { organisationId, id } }, select: { id: true } })) !== null;
  }

  async create(tx: Tx, row: Grant): Promise<GrantRow> {
    return tx.grant.create({ data: row, include: WITH_SERVER });
  }

  /** False when there is none. */
  async remove(tx: Tx, organisationId: OrganisationId, id: string): Promise<boolean> {
    return (await tx.grant.deleteMany({ where: { organisationId, id } })).count > 0;
  }
}
