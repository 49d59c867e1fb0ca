import { Injectable } from '@nestjs/common';
import { GrantId, type Grant as GrantDto, type GrantInput } from '@patchbay/contracts';
import type { Caller } from '../../common/caller.ts';
import { Clock } from '../../common/clock.ts';
import { newId } from '../../common/new-id.ts';
import { startAfter, toPage, type Page, type PageQuery } from '../../common/page.ts';
import { Refused, refusedField } from '../../common/refused.ts';
import { Database, type Grant } from '../../prisma/index.ts';
import { Changes } from '../snapshot/index.ts';

type Row = Grant & { readonly server: { readonly slug: string } };

/** Says who may use which server's tools. Default deny: without a row nobody does. */
@Injectable()
export class GrantsService {
  constructor(
    private readonly database: Database,
    private readonly changes: Changes,
    private readonly clock: Clock,
  ) {}

  async list({ organisationId }: Caller, query: PageQuery): Promise<Page<GrantDto>> {
    const after = startAfter(query, GrantId);
    const rows = await this.database.withOrganisation(organisationId, (tx) =>
      tx.grant.findMany({
        where: { organisationId, ...(after === null ? {} : { id: { gt: after } }) },
        orderBy: { id: 'asc' },
        take: query.limit + 1,
        include: { server: { select: { slug: true } } },
      }),
    );
    return toPage(rows, query.limit, { key: ({ id }) => id, view });
  }

  async create({ organisationId }: Pick<Caller, 'organisationId'>, { subject, server: slug, tools }: GrantInput): Promise<GrantDto> {
    return this.changes.commit(organisationId, async (tx, announce) => {
      // Locked against a removal that commits before us; the composite key would stop it as a fault.
      await tx.$queryRaw`select 1 from servers where organisation_id = ${organisationId}::uuid and slug = ${slug} for key share`;
      const server = await tx.server.findUnique({ where: { organisationId_slug: { organisationId, slug } }, select: { id: true } });
      if (server === null) throw refusedField('api.validation', '/server', 'is no server of this organisation');
      const userId = subject.kind === 'user' ? subject.userId : null;
      if (
        userId !== null &&
        (await tx.user.findUnique({ where: { organisationId_id: { organisationId, id: userId } }, select: { id: true } })) === null
      ) {
        throw refusedField('api.validation', '/subject/userId', 'is no user of this organisation');
      }
      const names = tools.mode === 'names' ? [...new Set(tools.names)] : [];
      const data = {
        organisationId,
        id: newId(),
        subjectKind: subject.kind,
        userId,
        serverId: server.id,
        mode: tools.mode,
        names,
        createdAt: this.clock.now(),
      };
      const row = await tx.grant.create({ data, include: { server: { select: { slug: true } } } });
      await announce();
      return view(row);
    });
  }

  async remove({ organisationId }: Caller, id: string): Promise<void> {
    if (!GrantId.safeParse(id).success) throw new Refused('api.not_found');
    await this.changes.commit(organisationId, async (tx, announce) => {
      const { count } = await tx.grant.deleteMany({ where: { organisationId, id } });
      if (count === 0) throw new Refused('api.not_found');
      await announce();
    });
  }
}

function view({ id, subjectKind, userId, server, mode, names, createdAt }: Row): GrantDto {
  const subject = subjectKind === 'user' ? { kind: 'user', userId } : { kind: 'everyone' };
  const tools = mode === 'all' ? { mode } : { mode, names };
  // Rows hold what our own schemas and the table's checks admitted.
  return { id, subject, server: server.slug, tools, createdAt: createdAt.toISOString() } as GrantDto;
}
