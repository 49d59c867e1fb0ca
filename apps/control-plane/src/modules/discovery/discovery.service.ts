import { Platform } from '../../platform.ts';
import { Injectable } from '@nestjs/common';
import type { OrganisationId, ServerId } from '@patchbay/contracts';
import { type Server, type Tx } from '../../prisma/index.ts';
import { Changes, hashPart } from '../snapshot/index.ts';
import { claimBareNames } from './bare-names.repository.ts';
import { encodeCataloguePart } from './catalogue-part.ts';
import { discover, type Discovered } from './discover.ts';
import { wordsFor } from './failed.ts';
import { Transports } from './transports.ts';

type Found = { readonly bytes: Uint8Array<ArrayBuffer>; readonly part: string; readonly notice: string | null };

/** Asks servers what they offer and keeps the answer. What is observed is accepted at once; an unchanged offer makes no revision. */
@Injectable()
export class DiscoveryService {
  constructor(
    private readonly platform: Platform,
    private readonly changes: Changes,
    private readonly transports: Transports,
  ) {}

  /** One attempt; false when the server could not be asked, which is kept in words. A server that is gone or has changed meanwhile is left alone. */
  async discover(organisationId: OrganisationId, serverId: ServerId): Promise<boolean> {
    const row = await this.platform.database.withOrganisation(organisationId, (tx) =>
      tx.server.findUnique({ where: { organisationId_id: { organisationId, id: serverId } }, include: { secrets: true } }),
    );
    if (row === null) return true;
    const { secrets, ...server } = row;
    const attemptedAt = this.platform.clock.now();
    try {
      const transport = await this.transports.to(server, secrets);
      const found = await discover({ transport, requestMs: server.requestMs, knownLegacy: server.kind === 'stdio' });
      await this.#accept(server, found, attemptedAt);
      return true;
    } catch (error) {
      const words = wordsFor(error);
      this.platform.logger.warn({ organisationId, serverId, err: error }, 'discovery failed');
      await this.#keepFailure(server, words, attemptedAt);
      return false;
    }
  }

  async #accept(server: Server, discovered: Discovered, attemptedAt: Date): Promise<void> {
    const bytes = new Uint8Array(encodeCataloguePart(server.id as ServerId, discovered));
    const found: Found = { bytes, part: hashPart(bytes), notice: discovered.notice };
    const organisationId = server.organisationId as OrganisationId;
    await this.changes.commit(organisationId, async (tx, announce) => {
      const accepted = await lockedAcceptedPart(tx, server);
      if (accepted === undefined) return;
      const attempt = { generation: server.generation, attemptedAt, discoveredAt: attemptedAt, error: null, notice: found.notice };
      const isNew = accepted !== found.part;
      const entries = { observed: found.bytes, observedHash: found.part, accepted: found.bytes, acceptedHash: found.part };
      await upsert(tx, server, isNew ? { ...attempt, ...entries } : attempt);
      if (!isNew) return;
      await claimBareNames(tx, organisationId);
      await announce();
    });
  }

  async #keepFailure(server: Server, error: string, attemptedAt: Date): Promise<void> {
    await this.platform.database.withOrganisation(server.organisationId as OrganisationId, async (tx) => {
      if ((await lockedAcceptedPart(tx, server)) === undefined) return;
      await upsert(tx, server, { generation: server.generation, attemptedAt, error });
    });
  }
}

/** What is accepted now (null: nothing yet); undefined when the server is gone or has changed since it was asked. */
async function lockedAcceptedPart(tx: Tx, { organisationId, id, generation }: Server): Promise<string | null | undefined> {
  const [row] = await tx.$queryRaw<{ generation: string }[]>`
    select generation from servers where organisation_id = ${organisationId}::uuid and id = ${id}::uuid for update`;
  if (row?.generation !== generation) return undefined;
  const catalogue = await tx.serverCatalogue.findUnique({
    where: { organisationId_serverId: { organisationId, serverId: id } },
    select: { acceptedHash: true },
  });
  return catalogue?.acceptedHash ?? null;
}

type CatalogueWrite = Omit<Parameters<Tx['serverCatalogue']['create']>[0]['data'], 'organisationId' | 'serverId' | 'server'>;

async function upsert(
  tx: Tx,
  { organisationId, id }: Server,
  data: CatalogueWrite & { generation: string; attemptedAt: Date },
): Promise<void> {
  const key = { organisationId, serverId: id };
  await tx.serverCatalogue.upsert({ where: { organisationId_serverId: key }, create: { ...key, ...data }, update: data });
}
