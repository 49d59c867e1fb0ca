import { Platform } from '../../platform.ts';
import { Injectable } from '@nestjs/common';
import { ServerSlug, VALUES_MAX, type Server as ServerDto, type ServerChange, type ServerId, type ServerInput } from '@patchbay/contracts';
import type { Caller } from '../../common/caller.ts';
import { startAfter, toPage, type Page, type PageQuery } from '../../common/page.ts';
import { Refused, refusedField } from '../../common/refused.ts';
import { isTaken, type Server, type Tx } from '../../prisma/index.ts';
import { claimBareNames, DiscoveryQueue } from '../discovery/index.ts';
import { Changes } from '../snapshot/index.ts';
import { misplacedFields, setsCommand } from './server-change.ts';
import { viewServer, type ServerRow } from './server-view.ts';
import { ServersRepository } from './servers.repository.ts';

/** Registers, changes and removes servers. A server that cannot be reached is registered all the same. */
@Injectable()
export class ServersService {
  constructor(
    private readonly platform: Platform,
    private readonly changes: Changes,
    private readonly repository: ServersRepository,
    private readonly queue: DiscoveryQueue,
  ) {}

  async list({ organisationId, organisationSlug }: Caller, query: PageQuery): Promise<Page<ServerDto>> {
    const after = startAfter(query, ServerSlug);
    const rows = await this.platform.database.withOrganisation(organisationId, (tx) =>
      this.repository.page(tx, organisationId, { after, take: query.limit + 1 }),
    );
    return toPage(rows, query.limit, { key: ({ slug }) => slug, view: (row) => this.#view(row, organisationSlug) });
  }

  async read({ organisationId, organisationSlug }: Caller, slug: string): Promise<ServerDto> {
    const row = await this.platform.database.withOrganisation(organisationId, (tx) => this.repository.shown(tx, organisationId, slug));
    if (row === null) throw new Refused('api.not_found');
    return this.#view(row, organisationSlug);
  }

  async register(caller: Caller, input: ServerInput): Promise<ServerDto> {
    const { organisationId, organisationSlug } = caller;
    const { server, secrets } = this.repository.newServer(caller, input);
    try {
      const row = await this.changes.commit(organisationId, async (tx, announce) => {
        await this.repository.create(tx, server, secrets);
        await announce();
        return this.#shown(tx, server);
      });
      void this.queue.add(organisationId, server.id as ServerId, server.generation);
      return this.#view(row, organisationSlug);
    } catch (error) {
      if (isTaken(error)) throw refusedField('api.conflict', '/slug', 'is taken in this organisation');
      throw error;
    }
  }

  async change(caller: Caller, slug: string, change: ServerChange): Promise<ServerDto> {
    const { organisationId, organisationSlug } = caller;
    const row = await this.changes.commit(organisationId, async (tx, announce) => {
      const before = await this.repository.locked(tx, organisationId, slug);
      if (before === null) throw new Refused('api.not_found');
      const misplaced = misplacedFields(before.server.kind, change);
      if (misplaced.length > 0) throw new Refused('api.validation', null, misplaced);
      const { server, secrets, credentialChanged } = this.repository.changed(before, change);
      if (secrets.length > VALUES_MAX)
        throw refusedField('api.validation', server.kind === 'stdio' ? '/env' : '/headers', `makes more than ${VALUES_MAX} in all`);
      const approved = setsCommand(change) ? caller.operator : server.approved;
      await this.repository.replace(tx, { ...server, approved, updatedAt: this.platform.clock.now() }, secrets);
      await announce(credentialChanged ? { forget: [{ kind: 'credential', serverId: server.id as ServerId }] } : {});
      return this.#shown(tx, server);
    });
    void this.queue.add(organisationId, row.id as ServerId, row.generation);
    return this.#view(row, organisationSlug);
  }

  /** Removes a server with its grants, secrets and catalogue; the names it held go to whoever else offers them. */
  async remove({ organisationId }: Caller, slug: string): Promise<void> {
    await this.changes.commit(organisationId, async (tx, announce) => {
      const found = await this.repository.locked(tx, organisationId, slug);
      if (found === null) throw new Refused('api.not_found');
      await this.repository.remove(tx, organisationId, found.server.id);
      await claimBareNames(tx, organisationId);
      await announce({ forget: [{ kind: 'credential', serverId: found.server.id as ServerId }] });
    });
  }

  async #shown(tx: Tx, { organisationId, slug }: Server): Promise<ServerRow> {
    const row = await this.repository.shown(tx, organisationId as Caller['organisationId'], slug);
    if (row === null) throw new Refused('api.not_found');
    return row;
  }

  #view(row: ServerRow, organisation: string): ServerDto {
    return viewServer(row, { gatewayUrl: this.platform.config.gatewayUrl, organisation });
  }
}
