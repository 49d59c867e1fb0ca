import type { OrganisationId, OrganisationSlug } from '@patchbay/contracts';
import type { Tx, User } from '../../prisma/index.ts';

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
