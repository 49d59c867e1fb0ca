import { Injectable } from '@nestjs/common';
import { Platform } from '../../platform.ts';
import { INVALIDATIONS_MS } from '../snapshot/index.ts';
import { MaintenanceRepository } from './maintenance.repository.ts';

/** Half as long again as manifests repeat invalidations: nothing that a manifest may still name is taken. */
const OUTBOX_MS = INVALIDATIONS_MS * 1.5;

/** Keeps what grows with use from growing for ever. May run at any time, several times at once, and be killed. */
@Injectable()
export class Maintenance {
  constructor(
    private readonly platform: Platform,
    private readonly rows: MaintenanceRepository,
  ) {}

  /** One organisation's trouble is logged and not another's. Throws when the stores are away: the next run does the work. */
  async run(): Promise<void> {
    const { clock, lookups, logger, stores } = this.platform;
    const now = clock.now();
    const publishedBefore = new Date(now.getTime() - OUTBOX_MS);
    for (const { organisationId } of await lookups.positions()) {
      try {
        await this.rows.removeOutdated(organisationId, { now, publishedBefore });
      } catch (error) {
        logger.error({ err: error, organisationId }, 'outdated rows could not be removed; it is tried again');
      }
    }
    await stores.directory.removeExpiredTokens();
  }
}
