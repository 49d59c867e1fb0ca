import type { Endpoint, EndpointChange, OrganisationId, OrganisationSlug } from '@patchbay/contracts';
import type { Tx, User } from '../../prisma/index.ts';
import { profileColumns, profileOf } from '../snapshot/index.ts';

/** How the organisation's aggregated endpoint is set; null: there is no such organisation. */
export async function endpointSettings(tx: Tx, id: OrganisationId): Promise<Omit<Endpoint, 'mcpUrl'> | null> {
  const row = await tx.organisation.findUnique({ where: { id } });
  return row === null ? null : { clientProfile: profileOf(row) ?? {}, allowedOrigins: row.allowedOrigins };
}

export async function changeEndpoint(tx: Tx, id: OrganisationId, { allowedOrigins, clientProfile }: EndpointChange): Promise<void> {
  const origins = allowedOrigins === undefined ? {} : { allowedOrigins };
  await tx.organisation.update({ where: { id }, data: { ...(clientProfile && profileColumns(clientProfile)), ...origins } });
}

/** Writes an organisation and its first owner, in a transaction of that organisation. Throws what `isTaken` knows when the slug is. */
export async function createOrganisation(
  tx: Tx,
  organisation: { id: OrganisationId; slug: OrganisationSlug; name: string; createdAt: Date },
  owner: Omit<User, 'organisationId' | 'role' | 'createdAt'>,
): Promise<void> {
  const { id: organisationId, createdAt } = organisation;
  await tx.organisation.create({ data: organisation });
  await tx.user.create({ data: { organisationId, ...owner, role: 'owner', createdAt } });
}
