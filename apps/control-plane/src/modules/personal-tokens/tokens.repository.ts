import { Injectable } from '@nestjs/common';
import type { OrganisationId, TokenId } from '@patchbay/contracts';
import type { PersonalToken, Tx } from '../../prisma/index.ts';

/** A user whose tokens alone are meant; left away, everybody's. */
export type Owner = { readonly userId?: string };

/** Rows of personal access tokens, inside a transaction of their organisation. */
@Injectable()
export class TokensRepository {
  async page(
    tx: Tx,
    organisationId: OrganisationId,
    { owner, after, take }: { owner: Owner; after: string | null; take: number },
  ): Promise<PersonalToken[]> {
    return tx.personalToken.findMany({
      where: { organisationId, ...owner, ...(after === null ? {} : { id: { gt: after } }) },
      orderBy: { id: 'asc' },
      take,
    });
  }

  async create(tx: Tx, row: Omit<PersonalToken, 'revokedAt'>): Promise<PersonalToken> {
    return tx.personalToken.create({ data: row });
  }

  async find(tx: Tx, organisationId: OrganisationId, { id, owner }: { id: TokenId; owner: Owner }): Promise<PersonalToken | null> {
    return tx.personalToken.findFirst({ where: { organisationId, id, ...owner } });
  }

  /** False when it was revoked before. Limits that were about it go with it. */
  async revoke(tx: Tx, organisationId: OrganisationId, { id, at }: { id: TokenId; at: Date }): Promise<boolean> {
    const { count } = await tx.personalToken.updateMany({ where: { organisationId, id, revokedAt: null }, data: { revokedAt: at } });
    if (count > 0) await tx.limit.deleteMany({ where: { organisationId, tokenId: id } });
    return count > 0;
  }
}
