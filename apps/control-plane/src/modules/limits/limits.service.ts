import { Injectable } from '@nestjs/common';
import { LIMITS_MAX, LimitId, type Limit as LimitDto, type LimitChange, type LimitInput, type OrganisationId } from '@patchbay/contracts';
import type { Caller } from '../../common/caller.ts';
import { Clock } from '../../common/clock.ts';
import { newId } from '../../common/new-id.ts';
import { startAfter, toPage, type Page, type PageQuery } from '../../common/page.ts';
import { Refused, refusedField } from '../../common/refused.ts';
import { Database, type Tx } from '../../prisma/index.ts';
import { Changes } from '../snapshot/index.ts';
import { fieldsOf, view, type References } from './limit-rows.ts';
import { LimitsRepository } from './limits.repository.ts';

/** How often whom may call what. Gateways enforce it; without a row nothing is counted. */
@Injectable()
export class LimitsService {
  constructor(
    private readonly database: Database,
    private readonly changes: Changes,
    private readonly repository: LimitsRepository,
    private readonly clock: Clock,
  ) {}

  async list({ organisationId }: Caller, query: PageQuery): Promise<Page<LimitDto>> {
    const after = startAfter(query, LimitId);
    const rows = await this.database.withOrganisation(organisationId, (tx) =>
      this.repository.page(tx, organisationId, { after, take: query.limit + 1 }),
    );
    return toPage(rows, query.limit, { key: ({ id }) => id, view });
  }

  async read({ organisationId }: Caller, id: string): Promise<LimitDto> {
    const limitId = idOf(id);
    const row = await this.database.withOrganisation(organisationId, (tx) => this.repository.find(tx, organisationId, limitId));
    if (row === null) throw new Refused('api.not_found');
    return view(row);
  }

  async create({ organisationId }: Pick<Caller, 'organisationId'>, input: LimitInput): Promise<LimitDto> {
    return this.changes.commit(organisationId, async (tx, announce) => {
      const references = await this.#references(tx, organisationId, input);
      const now = this.clock.now();
      const row = await this.repository.create(tx, {
        ...fieldsOf(input, references),
        organisationId,
        id: newId(now.getTime()),
        createdAt: now,
        updatedAt: now,
      });
      await announce();
      // The organisation's revision is locked by now, so whoever adds one as well waits and counts this one.
      if ((await this.repository.count(tx, organisationId)) > LIMITS_MAX) {
        throw new Refused('api.too_many', `It may have ${LIMITS_MAX} limits.`);
      }
      return view(row);
    });
  }

  async change({ organisationId }: Caller, id: string, change: LimitChange): Promise<LimitDto> {
    const limitId = idOf(id);
    return this.changes.commit(organisationId, async (tx, announce) => {
      const old = await this.repository.find(tx, organisationId, limitId);
      if (old === null) throw new Refused('api.not_found');
      const { id: _id, createdAt: _createdAt, updatedAt: _updatedAt, ...before } = view(old);
      const input: LimitInput = { ...before, ...definedOf(change) };
      if (input.windows.length === 0 && input.concurrency === null) {
        throw refusedField('api.validation', '/windows', 'must not be empty without a concurrency: the limit would limit nothing');
      }
      const references = await this.#references(tx, organisationId, input);
      const { createdAt, updatedAt: readAt } = old;
      const updatedAt = new Date(Math.max(this.clock.now().getTime(), readAt.getTime() + 1));
      // Locked after what it refers to, in the order in which a removal of that locks them.
      const row = await this.repository.update(
        tx,
        { ...fieldsOf(input, references), organisationId, id: limitId, createdAt, updatedAt },
        readAt,
      );
      if (row === null) throw new Refused('api.conflict');
      await announce();
      return view(row);
    });
  }

  async remove({ organisationId }: Caller, id: string): Promise<void> {
    const limitId = idOf(id);
    await this.changes.commit(organisationId, async (tx, announce) => {
      if (!(await this.repository.remove(tx, organisationId, limitId))) throw new Refused('api.not_found');
      await announce();
    });
  }

  /** What `applies` names, held until the transaction ends; refuses the field that names nothing of this organisation. */
  async #references(tx: Tx, organisationId: OrganisationId, { applies }: Pick<LimitInput, 'applies'>): Promise<References> {
    const { subject, token, server } = applies;
    const serverId = server === null ? null : await this.repository.lockedServer(tx, organisationId, server);
    if (server !== null && serverId === null) {
      throw refusedField('api.validation', '/applies/server', 'is no server of this organisation');
    }
    if (subject?.kind === 'user' && !(await this.repository.hasUser(tx, organisationId, subject.userId))) {
      throw refusedField('api.validation', '/applies/subject/userId', 'is no user of this organisation');
    }
    if (token !== null && !(await this.repository.hasToken(tx, organisationId, token))) {
      throw refusedField('api.validation', '/applies/token', 'is no token of this organisation that could still be used');
    }
    return { serverId };
  }
}

function idOf(id: string): LimitId {
  const { data } = LimitId.safeParse(id);
  if (data === undefined) throw new Refused('api.not_found');
  return data;
}

/** Without the fields that were left out. */
function definedOf(change: LimitChange): Partial<LimitInput> {
  return Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
}
