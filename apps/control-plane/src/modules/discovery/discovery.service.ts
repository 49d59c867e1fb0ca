import { Platform } from '../../platform.ts';
import { Injectable } from '@nestjs/common';
import type { OrganisationId, ServerId } from '@patchbay/contracts';
import { Meters, type Discovery } from '../../ops/meters.ts';
import { type Server } from '../../prisma/index.ts';
import { Changes, hashPart } from '../snapshot/index.ts';
import { claimBareNames } from './bare-names.repository.ts';
import { encodeCataloguePart } from './catalogue-part.ts';
import { lockedCatalogue, serverToAsk, writeCatalogue } from './catalogues.repository.ts';
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
    private readonly meters: Meters,
  ) {}

  /** One attempt; false when the server could not be asked, which is kept in words. A server that is gone or has changed meanwhile is left alone. */
  async discover(organisationId: OrganisationId, serverId: ServerId): Promise<boolean> {
    const found = await this.platform.database.withOrganisation(organisationId, (tx) => serverToAsk(tx, organisationId, serverId));
    if (found === null) {
      this.meters.discovered('gone');
      return true;
    }
    const { server, secrets } = found;
    const attemptedAt = this.platform.clock.now();
    try {
      const transport = await this.transports.to(server, secrets);
      const discovered = await discover({ transport, requestMs: server.requestMs, knownLegacy: server.kind === 'stdio' });
      this.meters.discovered(await this.#accept(server, discovered, attemptedAt));
      return true;
    } catch (error) {
      const words = wordsFor(error);
      this.platform.logger.warn({ organisationId, serverId, err: error }, 'discovery failed');
      this.meters.discovered('failed');
      await this.#keepFailure(server, words, attemptedAt);
      return false;
    }
  }

  async #accept(server: Server, discovered: Discovered, attemptedAt: Date): Promise<Discovery> {
    const bytes = new Uint8Array(encodeCataloguePart(server.id as ServerId, discovered));
    const found: Found = { bytes, part: hashPart(bytes), notice: discovered.notice };
    const organisationId = server.organisationId as OrganisationId;
    return this.changes.commit(organisationId, async (tx, announce) => {
      const stands = await lockedCatalogue(tx, server);
      if (stands === undefined) return 'gone';
      const attempt = { generation: server.generation, attemptedAt, discoveredAt: attemptedAt, error: null, notice: found.notice };
      const isNew = stands.acceptedPart !== found.part;
      const entries = { observed: found.bytes, observedHash: found.part, accepted: found.bytes, acceptedHash: found.part };
      await writeCatalogue(tx, server, isNew ? { ...attempt, ...entries } : attempt);
      if (isNew) await claimBareNames(tx, organisationId);
      // That it answers again is news, too.
      if (isNew || stands.isSilent) await announce();
      return isNew ? 'changed' : 'unchanged';
    });
  }

  async #keepFailure(server: Server, error: string, attemptedAt: Date): Promise<void> {
    await this.changes.commit(server.organisationId as OrganisationId, async (tx, announce) => {
      const stands = await lockedCatalogue(tx, server);
      if (stands === undefined) return;
      await writeCatalogue(tx, server, { generation: server.generation, attemptedAt, error });
      // Said once: lists go on with what is known, and say since when.
      if (stands.acceptedPart !== null && !stands.isSilent) await announce();
    });
  }
}
