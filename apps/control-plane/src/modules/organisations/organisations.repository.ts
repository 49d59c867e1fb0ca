import type { ClientProfile, OrganisationId, OrganisationSlug } from '@patchbay/contracts';
import type { Tx, User } from '../../prisma/index.ts';
import { profileColumns, profileOf } from '../snapshot/index.ts';

/** What the organisation's clients can take at its aggregated endpoint; null: there is no such organisation. */
export async function aggregateProfile(tx: Tx, id: OrganisationId): Promise<ClientProfile | null> {
  const row = await tx.organisation.findUnique({ where: { id } });
  return row === null ? null : (profileOf(row) ?? {});
}

export async function setAggregateProfile(tx: Tx, id: OrganisationId, profile: ClientProfile): Promise<void> {
  await tx.organisation.update({ where: { id }, data: profileColumns(profile) });
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
