import { Injectable } from '@nestjs/common';
import type { Catalogue, ServerId } from '@patchbay/contracts';
import type { Caller } from '../../common/caller.ts';
import { orRefuse } from '../../common/or-refuse.ts';
import { Refused } from '../../common/refused.ts';
import { Database } from '../../prisma/index.ts';
import { catalogueEntries, readCatalogueHeader } from '@patchbay/discovery';
import { DiscoveryService } from '../discovery/index.ts';
import { StdioRules } from '../stdio/index.ts';
import { ServersRepository } from './servers.repository.ts';

/** Shows what discovery found, and has it look again. */
@Injectable()
export class CatalogueService {
  constructor(
    private readonly database: Database,
    private readonly discovery: DiscoveryService,
    private readonly stdio: StdioRules,
    private readonly servers: ServersRepository,
  ) {}

  async read({ organisationId }: Caller, slug: string): Promise<Catalogue> {
    const row = await this.database.withOrganisation(organisationId, (tx) => this.servers.catalogue(tx, organisationId, slug));
    if (row === undefined) throw new Refused('api.not_found');
    const header = row === null || row.observed === null ? null : readCatalogueHeader(row.observed).header;
    return {
      era: header?.era ?? null,
      eraProbedAt: row?.eraProbedAt?.toISOString() ?? null,
      protocolVersion: header?.protocolVersion ?? null,
      serverInfo: header?.serverInfo ?? null,
      capabilities: header?.capabilities ?? null,
      instructions: header?.instructions ?? null,
      discoveredAt: row?.discoveredAt?.toISOString() ?? null,
      attemptedAt: row?.attemptedAt.toISOString() ?? null,
      error: row?.error ?? null,
      observed: catalogueEntries(row?.observed ?? null),
      accepted: catalogueEntries(row?.accepted ?? null),
    };
  }

  /** Asks the server now and shows what came of it, success or not. */
  async discover(caller: Caller, slug: string): Promise<Catalogue> {
    const { organisationId } = caller;
    const server = await this.database.withOrganisation(organisationId, (tx) => this.servers.shown(tx, organisationId, slug));
    if (server === null) throw new Refused('api.not_found');
    const refused = server.kind === 'stdio' ? await this.stdio.mayRun(caller, server.approved) : null;
    if (refused !== null) orRefuse(refused);
    await this.discovery.discover(organisationId, server.id as ServerId);
    return this.read(caller, slug);
  }
}
