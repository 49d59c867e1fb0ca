import type { OrganisationId, TokenHash } from '@patchbay/contracts';
import type { Organisation, PersonalToken, Tx } from '../../prisma/index.ts';

/** The transaction's own organisation; null when it does not exist. */
export async function readOrganisation(tx: Tx, organisationId: OrganisationId): Promise<Organisation | null> {
  return tx.organisation.findUnique({ where: { id: organisationId } });
}

/** Also a token that is revoked or has expired: its entry says so. */
export async function tokenByHash(tx: Tx, organisationId: OrganisationId, tokenHash: TokenHash): Promise<PersonalToken | null> {
  return tx.personalToken.findUnique({ where: { organisationId_tokenHash: { organisationId, tokenHash } } });
}

/** Those of the ids that exist, in no particular order. */
export async function tokensById(tx: Tx, organisationId: OrganisationId, ids: string[]): Promise<PersonalToken[]> {
  return tx.personalToken.findMany({ where: { organisationId, id: { in: ids } } });
}

/** Revoked ones too. */
export async function unexpiredTokens(tx: Tx, organisationId: OrganisationId, now: Date): Promise<PersonalToken[]> {
  return tx.personalToken.findMany({ where: { organisationId, expiresAt: { gt: now } } });
}
