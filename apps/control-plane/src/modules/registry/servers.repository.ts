import { DEFAULT_TIMEOUTS, type OrganisationId, type ServerChange, type ServerInput } from '@patchbay/contracts';
import { Injectable } from '@nestjs/common';
import type { Server, ServerCatalogue, ServerSecret, Tx } from '../../prisma/index.ts';
import type { Caller } from '../../common/caller.ts';
import { Clock } from '../../common/clock.ts';
import { newId } from '../../common/new-id.ts';
import { profileColumns } from '../snapshot/index.ts';
import { ServerSecrets } from '../vault/index.ts';
import { generationOf } from './generation.ts';
import { applyChange, sealedRow, type ChangedServer } from './server-change.ts';
import { SHOWN, type ServerRow } from './server-view.ts';

/** Rows of servers: made here, and read and written inside a transaction of their organisation. */
@Injectable()
export class ServersRepository {
  constructor(
    private readonly vault: ServerSecrets,
    private readonly clock: Clock,
  ) {}

  /** The rows of a registration, not yet written. */
  newServer(
    { organisationId, operator }: Pick<Caller, 'organisationId' | 'operator'>,
    input: ServerInput,
    id = newId(),
  ): { server: Server; secrets: ServerSecret[] } {
    const now = this.clock.now();
    const { connectMs = DEFAULT_TIMEOUTS.connectMs, requestMs = DEFAULT_TIMEOUTS.requestMs } = input.timeouts;
    const base = {
      organisationId,
      id,
      slug: input.slug,
      kind: input.kind,
      description: input.description,
      tags: input.tags,
      connectMs,
      requestMs,
      catalogueMode: input.catalogueMode,
      sampling: input.sampling,
      ...profileColumns(input.clientProfile),
    };
    const own =
      input.kind === 'stdio'
        ? { url: null, command: input.command, args: input.args, isolation: input.isolation, egress: input.egress }
        : { url: input.url, command: null, args: [], isolation: 'isolation' in input ? input.isolation : 'session', egress: [] };
    const server: Server = { ...base, ...own, approved: operator, notice: null, generation: '', createdAt: now, updatedAt: now };
    const kind = input.kind === 'stdio' ? 'env' : 'header';
    const secrets = Object.entries(input.kind === 'stdio' ? input.env : input.headers).map(([name, value]) =>
      sealedRow(server, kind, { name, value }, this.vault),
    );
    server.generation = generationOf(server, secrets);
    return { server, secrets };
  }

  /** A server and its secrets as a change leaves them, not yet written. */
  changed(before: { server: Server; secrets: readonly ServerSecret[] }, change: ServerChange): ChangedServer {
    return applyChange(before, change, this.vault);
  }

  async page(tx: Tx, organisationId: OrganisationId, { after, take }: { after: string | null; take: number }): Promise<ServerRow[]> {
    return tx.server.findMany({
      where: { organisationId, ...(after === null ? {} : { slug: { gt: after } }) },
      orderBy: { slug: 'asc' },
      take,
      include: SHOWN,
    });
  }

  async shown(tx: Tx, organisationId: OrganisationId, slug: string): Promise<ServerRow | null> {
    return tx.server.findUnique({ where: { organisationId_slug: { organisationId, slug } }, include: SHOWN });
  }

  /** The row and its sealed secrets, locked until the transaction ends, so that two changes do not lose one another. */
  async locked(tx: Tx, organisationId: OrganisationId, slug: string): Promise<{ server: Server; secrets: ServerSecret[] } | null> {
    await tx.$queryRaw`select 1 from servers where organisation_id = ${organisationId}::uuid and slug = ${slug} for update`;
    const row = await tx.server.findUnique({ where: { organisationId_slug: { organisationId, slug } }, include: { secrets: true } });
    if (row === null) return null;
    const { secrets, ...server } = row;
    return { server, secrets };
  }

  /** What discovery keeps of a server (null: never asked); undefined when there is no such server. */
  async catalogue(tx: Tx, organisationId: OrganisationId, slug: string): Promise<ServerCatalogue | null | undefined> {
    const row = await tx.server.findUnique({ where: { organisationId_slug: { organisationId, slug } }, select: { catalogue: true } });
    return row?.catalogue;
  }

  async create(tx: Tx, server: Server, secrets: readonly ServerSecret[]): Promise<void> {
    await tx.server.create({ data: server });
    if (secrets.length > 0) await tx.serverSecret.createMany({ data: [...secrets] });
  }

  async replace(tx: Tx, server: Server, secrets: readonly ServerSecret[]): Promise<void> {
    const { organisationId, id, ...data } = server;
    await tx.server.update({ where: { organisationId_id: { organisationId, id } }, data });
    await tx.serverSecret.deleteMany({ where: { organisationId, serverId: id } });
    if (secrets.length > 0) await tx.serverSecret.createMany({ data: [...secrets] });
  }

  /** With its grants, secrets, catalogue and the bare names it held. */
  async remove(tx: Tx, organisationId: OrganisationId, id: string): Promise<void> {
    await tx.server.delete({ where: { organisationId_id: { organisationId, id } } });
  }
}
