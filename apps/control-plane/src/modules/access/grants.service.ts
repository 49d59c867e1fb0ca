import { Injectable } from '@nestjs/common';
import { GrantId, type Grant as GrantDto, type GrantInput } from '@patchbay/contracts';
import type { Caller } from '../../common/caller.ts';
import { Clock } from '../../common/clock.ts';
import { newId } from '../../common/new-id.ts';
import { startAfter, toPage, type Page, type PageQuery } from '../../common/page.ts';
import { Refused, refusedField } from '../../common/refused.ts';
import { Database } from '../../prisma/index.ts';
import { Changes } from '../snapshot/index.ts';
import { GrantsRepository, type GrantRow } from './grants.repository.ts';

/** Says who may use which server's tools. Default deny: without a row nobody does. */
@Injectable()
export class GrantsService {
  constructor(
    private readonly database: Database,
    private readonly changes: Changes,
    private readonly repository: GrantsRepository,
    private readonly clock: Clock,
  ) {}

  async list({ organisationId }: Caller, query: PageQuery): Promise<Page<GrantDto>> {
    const after = startAfter(query, GrantId);
    const rows = await this.database.withOrganisation(organisationId, (tx) =>
      this.repository.page(tx, organisationId, { after, take: query.limit + 1 }),
    );
    return toPage(rows, query.limit, { key: ({ id }) => id, view });
  }

  async create({ organisationId }: Pick<Caller, 'organisationId'>, { subject, server: slug, tools }: GrantInput): Promise<GrantDto> {
    return this.changes.commit(organisationId, async (tx, announce) => {
      const serverId = await this.repository.lockedServer(tx, organisationId, slug);
      if (serverId === null) throw refusedField('api.validation', '/server', 'is no server of this organisation');
      const userId = subject.kind === 'user' ? subject.userId : null;
      if (userId !== null && !(await this.repository.hasUser(tx, organisationId, userId))) {
        throw refusedField('api.validation', '/subject/userId', 'is no user of this organisation');
      }
      const names = tools.mode === 'names' ? [...new Set(tools.names)] : [];
      const data = {
        organisationId,
        id: newId(),
        subjectKind: subject.kind,
        userId,
        serverId,
        mode: tools.mode,
        names,
        createdAt: this.clock.now(),
      };
      const row = await this.repository.create(tx, data);
      await announce();
      return view(row);
    });
  }

  async remove({ organisationId }: Caller, id: string): Promise<void> {
    if (!GrantId.safeParse(id).success) throw new Refused('api.not_found');
    await this.changes.commit(organisationId, async (tx, announce) => {
      if (!(await this.repository.remove(tx, organisationId, id))) throw new Refused('api.not_found');
      await announce();
    });
  }
}

function view({ id, subjectKind, userId, server, mode, names, createdAt }: GrantRow): GrantDto {
  const subject = subjectKind === 'user' ? { kind: 'user', userId } : { kind: 'everyone' };
  const tools = mode === 'all' ? { mode } : { mode, names };
  // Rows hold what our own schemas and the table's checks admitted.
  return { id, subject, server: server.slug, tools, createdAt: createdAt.toISOString() } as GrantDto;
}
