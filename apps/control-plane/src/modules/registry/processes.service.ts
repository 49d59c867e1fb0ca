import { Injectable } from '@nestjs/common';
import type { ServerProcesses } from '@patchbay/contracts';
import type { Caller } from '../../common/caller.ts';
import { Refused } from '../../common/refused.ts';
import { Database } from '../../prisma/index.ts';
import { Transports } from '../discovery/index.ts';
import { ServersRepository } from './servers.repository.ts';

/** Shows what runs of stdio servers, asked of the hosts each time. */
@Injectable()
export class ProcessesService {
  constructor(
    private readonly database: Database,
    private readonly servers: ServersRepository,
    private readonly transports: Transports,
  ) {}

  /** Nothing runs of a server of another kind. */
  async read({ organisationId }: Caller, slug: string): Promise<ServerProcesses> {
    const server = await this.database.withOrganisation(organisationId, (tx) => this.servers.shown(tx, organisationId, slug));
    if (server === null) throw new Refused('api.not_found');
    return server.kind === 'stdio' ? this.transports.processesOf(server) : { silentHosts: 0, processes: [], failing: [] };
  }
}
