import { Injectable } from '@nestjs/common';
import type { OrganisationId } from '@patchbay/contracts';
import { Database, type Session, type User } from '../../prisma/index.ts';

/** Rows of users who sign in and of their sessions. */
@Injectable()
export class SessionsRepository {
  constructor(private readonly database: Database) {}

  async user(organisationId: OrganisationId, email: string): Promise<User | null> {
    return this.database.withOrganisation(organisationId, (tx) =>
      tx.user.findUnique({ where: { organisationId_email: { organisationId, email } } }),
    );
  }

  /** Writes a session and removes the organisation's that ended before it was made. */
  async open(organisationId: OrganisationId, session: Omit<Session, 'organisationId'>): Promise<void> {
    await this.database.withOrganisation(organisationId, async (tx) => {
      await tx.session.deleteMany({ where: { organisationId, expiresAt: { lt: session.createdAt } } });
      await tx.session.create({ data: { organisationId, ...session } });
    });
  }

  async end(organisationId: OrganisationId, id: string): Promise<void> {
    await this.database.withOrganisation(organisationId, (tx) => tx.session.deleteMany({ where: { organisationId, id } }));
  }
}
