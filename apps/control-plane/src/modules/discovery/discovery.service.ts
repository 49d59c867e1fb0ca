import { discover, type Discovered, encodeCataloguePart, type KnownNeeds, type LegacyBy, needsIn, wordsFor } from '@patchbay/discovery';
import { isObject } from '@patchbay/mcp-wire';
import { Platform } from '../../platform.ts';
import { Injectable } from '@nestjs/common';
import type { OrganisationId, ServerId } from '@patchbay/contracts';
import { Meters, type Discovery } from '../../ops/meters.ts';
import { type Server } from '../../prisma/index.ts';
import { Changes, hashPart } from '../snapshot/index.ts';
import { claimBareNames } from './bare-names.repository.ts';
import { lockedCatalogue, observedPart, serverToAsk, type ServerToAsk, writeCatalogue } from './catalogues.repository.ts';
import { LISTENED, type ListenedList } from './listen.ts';
import { Transports } from './transports.ts';

type Found = { readonly bytes: Uint8Array<ArrayBuffer>; readonly part: string; readonly notice: string | null };

/** Asks servers what they offer and keeps the answer. What is observed is accepted at once; an unchanged offer makes no revision. */
@Injectable()
export class DiscoveryService {
  /** Told of each server that offers something new; must not throw. */
  found: (serverId: ServerId) => void = () => undefined;

  constructor(
    private readonly platform: Platform,
    private readonly changes: Changes,
    private readonly transports: Transports,
    private readonly meters: Meters,
  ) {}

  /** Whether a doubt about the server's era is news: of its present generation, and not looked into just now. */
  async mayProbe(organisationId: OrganisationId, serverId: ServerId, generation: string): Promise<boolean> {
    const asked = await this.platform.database.withOrganisation(organisationId, (tx) => serverToAsk(tx, organisationId, serverId));
    if (asked?.server.kind !== 'streamable-http' || asked.server.generation !== generation) return false;
    const probedAt = asked.found?.eraProbedAt ?? null;
    return probedAt === null || this.platform.clock.now().getTime() - probedAt.getTime() > PROBED_LATELY_MS;
  }

  /** One attempt; `isDoubted`: what was found of its era is not gone by. `failed`: the server could not be asked, which is kept in words. A server that is gone or has changed meanwhile is left alone. */
  async discover(organisationId: OrganisationId, serverId: ServerId, { isDoubted } = { isDoubted: false }): Promise<Discovery> {
    const asked = await this.platform.database.withOrganisation(organisationId, (tx) => serverToAsk(tx, organisationId, serverId));
    if (asked === null) {
      this.meters.discovered('gone');
      return 'gone';
    }
    const { server, secrets } = asked;
    const attemptedAt = this.platform.clock.now();
    try {
      const transport = await this.transports.to(server, secrets);
      const known = legacyBy(asked, attemptedAt);
      const knownNeeds = isAskedByHost(server) ? null : (info: Discovered['serverInfo']) => this.#knownNeeds(server, info);
      const input = { transport, requestMs: server.requestMs, legacyBy: isDoubted && known === 'lately' ? null : known, knownNeeds };
      // Whoever waits for a new or changed server waits no longer than for what everybody is offered.
      let early: Discovery | null = null;
      const onPlain = async (plain: Discovered): Promise<void> => void (early = await this.#accept(server, plain, attemptedAt));
      const discovered = await discover(asked.found?.generation === server.generation ? input : { ...input, onPlain });
      const last = await this.#accept(server, discovered, attemptedAt);
      // What it offers some may add nothing to what it was found to offer everybody.
      const outcome = last === 'unchanged' ? (early ?? last) : last;
      this.meters.discovered(outcome);
      if (outcome === 'changed') this.found(serverId);
      return outcome;
    } catch (error) {
      const words = wordsFor(error);
      this.platform.logger.warn({ organisationId, serverId, err: error }, 'discovery failed');
      this.meters.discovered('failed');
      await this.#keepFailure(server, words, attemptedAt);
      return 'failed';
    }
  }

  /** Found out anew with each generation, and when the server itself is another. */
  async #knownNeeds(server: Server, serverInfo: Discovered['serverInfo']): ReturnType<KnownNeeds> {
    const part = await this.platform.database.withOrganisation(server.organisationId as OrganisationId, (tx) => observedPart(tx, server));
    return part === null ? new Map() : needsIn(part, serverInfo);
  }

  async #accept(server: Server, discovered: Discovered, attemptedAt: Date): Promise<Discovery> {
    const bytes = new Uint8Array(encodeCataloguePart(server.id as ServerId, discovered));
    const found: Found = { bytes, part: hashPart(bytes), notice: discovered.notice };
    const organisationId = server.organisationId as OrganisationId;
    return this.changes.commit(organisationId, async (tx, announce) => {
      const stands = await lockedCatalogue(tx, server);
      if (stands === undefined) return 'gone';
      const attempt = {
        ...attemptedWith(server, attemptedAt),
        discoveredAt: attemptedAt,
        error: null,
        notice: found.notice,
        era: discovered.era,
        ...(discovered.wasProbed ? { eraProbedAt: attemptedAt } : {}),
        toldLists: toldLists(discovered.capabilities),
      };
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
      await writeCatalogue(tx, server, { ...attemptedWith(server, attemptedAt), error });
      // Said once: lists go on with what is known, and say since when.
      if (stands.acceptedPart !== null && !stands.isSilent) await announce();
    });
  }
}

const attemptedWith = ({ generation }: Server, attemptedAt: Date) => ({ generation, attemptedAt });

/** A server found to be legacy is asked again which era it is of after a day, and before that when it contradicts it. */
const ERA_KEPT_MS = 86_400_000;
/** Many pods may doubt one server at once, and one that contradicts itself is asked no more often. */
const PROBED_LATELY_MS = 30_000;

/** What all share is initialised by its host, without capabilities of a client. */
function isAskedByHost({ isolation, kind }: Server): boolean {
  return kind !== 'streamable-http' && isolation === 'shared';
}

function legacyBy({ found, server }: ServerToAsk, now: Date): LegacyBy | null {
  if (server.kind !== 'streamable-http') return 'host';
  if (found?.era !== 'legacy' || found.generation !== server.generation || found.eraProbedAt === null) return null;
  return now.getTime() - found.eraProbedAt.getTime() < ERA_KEPT_MS ? 'lately' : null;
}

/** The lists of which a server says that it tells their changes. */
function toldLists(capabilities: Record<string, unknown>): ListenedList[] {
  return LISTENED.filter((list) => {
    const capability = capabilities[list];
    return isObject(capability) && capability['listChanged'] === true;
  });
}
