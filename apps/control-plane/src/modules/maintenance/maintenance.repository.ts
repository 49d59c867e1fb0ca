import { Injectable } from '@nestjs/common';
import type { OrganisationId } from '@patchbay/contracts';
import { Database } from '../../prisma/index.ts';

/** Removes rows that nothing reads any more. */
@Injectable()
export class MaintenanceRepository {
  constructor(private readonly database: Database) {}

  /** Sessions that ended before `now`, and published outbox rows older than `publishedBefore`. */
  async removeOutdated(organisationId: OrganisationId, { now, publishedBefore }: { now: Date; publishedBefore: Date }): Promise<void> {
    await this.database.withOrganisation(organisationId, async (tx) => {
      await tx.session.deleteMany({ where: { organisationId, expiresAt: { lt: now } } });
      await tx.outbox.deleteMany({ where: { organisationId, publishedAt: { lt: publishedBefore }, createdAt: { lt: publishedBefore } } });
    });
  }
}
