import { Injectable } from '@nestjs/common';
import type { Invalidation, OrganisationId, OrganisationSlug, Revision, TokenId } from '@patchbay/contracts';
import { Database, type Tx } from '../../prisma/index.ts';
import { Publisher } from './publisher.ts';

/** An invalidation before its revision is known. */
type Unrevised<T> = T extends unknown ? Omit<T, 'revision'> : never;
export type Forget = Unrevised<Invalidation>;

export type Change = { readonly forget?: readonly Forget[]; readonly tokenIds?: readonly TokenId[] };

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
    let announced = false;
    const result = await this.database.withOrganisation(organisationId, (tx) =>
      work(tx, (change) => {
        announced = true;
        return record(tx, organisationId, change);
      }),
    );
    if (announced) this.publisher.kick(organisationId);
    return result;
  }

  /** Makes a new organisation known to pods; resolves when what is known of it so far is published. */
  async introduce(organisation: { organisationId: OrganisationId; slug: OrganisationSlug }): Promise<void> {
    await this.publisher.introduce(organisation);
    await this.publisher.idle();
  }
}

/** Takes the next revision and leaves it in the outbox, ids only. Locks the organisation until the transaction ends. */
export async function record(tx: Tx, organisationId: OrganisationId, { forget = [], tokenIds = [] }: Change = {}): Promise<Revision> {
  const { revision } = await tx.organisation.update({
    where: { id: organisationId },
    data: { revision: { increment: 1 } },
    select: { revision: true },
  });
  const invalidations = forget.map((item) => ({ ...item, revision }));
  await tx.outbox.create({ data: { organisationId, revision, invalidations, tokenIds: [...tokenIds] } });
  return revision as Revision;
}
