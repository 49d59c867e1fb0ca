import { Injectable } from '@nestjs/common';
import type { Organisation, OrganisationId, OrganisationInput } from '@patchbay/contracts';
import { Clock } from '../../common/clock.ts';
import { newId } from '../../common/new-id.ts';
import { refusedField } from '../../common/refused.ts';
import { Database, enterOrganisation, isTaken, Lookups } from '../../prisma/index.ts';
import { hashPassword } from '../identity/index.ts';
import { Publisher, record } from '../snapshot/index.ts';
import { createOrganisation } from './organisations.repository.ts';

export type NewOrganisation = OrganisationInput & { readonly operator: boolean };

/** Creates organisations, each with its first owner. */
@Injectable()
export class OrganisationsService {
  constructor(
    private readonly database: Database,
    private readonly lookups: Lookups,
    private readonly publisher: Publisher,
    private readonly clock: Clock,
  ) {}

  /** Organisation and owner in one transaction. The second one closes private addresses for the first, in the same transaction. */
  async create({
    slug,
    name,
    owner,
    operator,
  }: NewOrganisation): Promise<Organisation & { readonly id: OrganisationId; readonly ownerId: string }> {
    const id = newId() as OrganisationId;
    const ownerId = newId();
    const createdAt = this.clock.now();
    const passwordHash = await hashPassword(owner.password);
    const others = await this.lookups.positions();
    try {
      await this.database.withOrganisation(id, async (tx) => {
        const email = owner.email.toLowerCase();
        await createOrganisation(tx, { id, slug, name, createdAt }, { id: ownerId, email, passwordHash, operator });
        await record(tx, id);
        const [only] = others;
        if (only === undefined || others.length > 1) return;
        await enterOrganisation(tx, only.organisationId);
        await record(tx, only.organisationId);
      });
    } catch (error) {
      if (isTaken(error)) throw refusedField('api.conflict', '/slug', 'is taken');
      throw error;
    }
    await this.publisher.introduce({ organisationId: id, slug });
    for (const { organisationId } of others) this.publisher.kick(organisationId);
    return { id, ownerId, slug, name, createdAt: createdAt.toISOString() };
  }
}
