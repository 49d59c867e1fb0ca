import { Injectable } from '@nestjs/common';
import type { OrganisationId, OrganisationSlug, Revision } from '@patchbay/contracts';
import { madeRevision } from '../../common/made-revision.ts';
import { Database, type Tx } from '../../prisma/index.ts';
import { record, type Change } from './outbox.repository.ts';
import { Publisher } from './publisher.ts';

/** Says, at most once in a transaction and as its last write, that pods have something to learn. */
export type Announce = (change?: Change) => Promise<Revision>;

/** The one way to change what pods must learn: the rows, the revision and the outbox row commit together. */
@Injectable()
export class Changes {
  constructor(
    private readonly database: Database,
    private readonly publisher: Publisher,
  ) {}

  /** Runs `work` in one transaction and, when it announced a change, has it published. Returns before pods know. */
  async commit<T>(organisationId: OrganisationId, work: (tx: Tx, announce: Announce) => Promise<T>): Promise<T> {
    let announced: Revision | null = null;
    let urgent = false;
    const result = await this.database.withOrganisation(organisationId, (tx) =>
      work(tx, async (change = {}) => {
        urgent = [...(change.forget ?? []), ...(change.tokenIds ?? [])].length > 0;
        announced = await record(tx, organisationId, change);
        return announced;
      }),
    );
    if (announced !== null) {
      madeRevision(announced);
      this.publisher.kick(organisationId, { urgent });
    }
    return result;
  }

  /** Makes a new organisation known to pods; resolves when what is known of it so far is published. */
  async introduce(organisation: { organisationId: OrganisationId; slug: OrganisationSlug }): Promise<void> {
    await this.publisher.introduce(organisation);
    await this.publisher.idle();
  }
}
