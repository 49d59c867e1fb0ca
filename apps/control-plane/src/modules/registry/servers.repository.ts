import type { OrganisationId } from '@patchbay/contracts';
import { Injectable } from '@nestjs/common';
import type { Server, ServerSecret, Tx } from '../../prisma/index.ts';
import { SHOWN, type ServerRow } from './server-view.ts';

/** Rows of servers, inside a transaction of their organisation. */
@Injectable()
export class ServersRepository {
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
}
