import type { OrganisationId, OrganisationSlug } from '@patchbay/contracts';
import type { ApiToken, PersonalToken, Server, Tx } from '../../prisma/index.ts';

type Owned = { readonly organisationId: OrganisationId; readonly userId: string; readonly name: string };

/** The installation's one organisation, without anybody in it. */
export async function createOrganisation(
  tx: Tx,
  organisation: { id: OrganisationId; slug: OrganisationSlug; name: string; createdAt: Date },
): Promise<void> {
  await tx.organisation.create({ data: organisation });
}

/** Makes the owner who operates the installation or gives them a new password; whoever signed in with the old one is out. The user's id. */
export async function resetAdmin(
  tx: Tx,
  key: { organisationId: OrganisationId; email: string },
  { id, passwordHash, createdAt }: { id: string; passwordHash: string; createdAt: Date },
): Promise<string> {
  const user = await tx.user.upsert({
    where: { organisationId_email: key },
    create: { ...key, id, passwordHash, role: 'owner', operator: true, createdAt },
    update: { passwordHash },
  });
  await tx.session.deleteMany({ where: { organisationId: key.organisationId, userId: user.id } });
  return user.id;
}

/** Whether the organisation has no server and nothing of it was ever published. */
export async function isUntouched(tx: Tx, organisationId: OrganisationId): Promise<boolean> {
  if ((await tx.server.count({ where: { organisationId } })) > 0) return false;
  return (await tx.organisation.findUniqueOrThrow({ where: { id: organisationId } })).revision === 0;
}

/** Lets every user of the organisation use all of a server. */
export async function grantToEveryone(
  tx: Tx,
  organisationId: OrganisationId,
  { id, serverId, createdAt }: { id: string; serverId: string; createdAt: Date },
): Promise<void> {
  await tx.grant.create({
    data: { organisationId, id, subjectKind: 'everyone', userId: null, serverId, mode: 'all', names: [], createdAt },
  });
}

/** Servers that were never asked what they offer. */
export async function undiscoveredServers(tx: Tx, organisationId: OrganisationId): Promise<Pick<Server, 'id' | 'generation'>[]> {
  return tx.server.findMany({ where: { organisationId, catalogue: null }, select: { id: true, generation: true } });
}

/** Revokes a user's tokens of one name, for MCP and for the API; those for MCP that it ended. */
export async function revokeTokens(
  tx: Tx,
  { organisationId, userId, name }: Owned,
  revokedAt: Date,
): Promise<Pick<PersonalToken, 'id' | 'tokenHash'>[]> {
  const own = { organisationId, userId, name, revokedAt: null };
  const old = await tx.personalToken.findMany({ where: own, select: { id: true, tokenHash: true } });
  await tx.personalToken.updateMany({ where: own, data: { revokedAt } });
  await tx.limit.deleteMany({ where: { organisationId, tokenId: { in: old.map(({ id }) => id) } } });
  await tx.apiToken.updateMany({ where: own, data: { revokedAt } });
  return old;
}

/** Writes one token for MCP and one for the API: their hashes, never the tokens. */
export async function createTokens(tx: Tx, personal: Omit<PersonalToken, 'revokedAt'>, api: Omit<ApiToken, 'revokedAt'>): Promise<void> {
  await tx.personalToken.create({ data: personal });
  await tx.apiToken.create({ data: api });
}
