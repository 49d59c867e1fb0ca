import { Injectable } from '@nestjs/common';
import { TokenId, type MintedToken, type Token, type TokenHash, type TokenInput } from '@patchbay/contracts';
import { hashToken, mintToken, tokenHint } from '@patchbay/tokens';
import type { Caller } from '../../common/caller.ts';
import { newId } from '../../common/new-id.ts';
import { startAfter, toPage, type Page, type PageQuery } from '../../common/page.ts';
import { Refused } from '../../common/refused.ts';
import { Platform } from '../../platform.ts';
import type { PersonalToken } from '../../prisma/index.ts';
import { Changes, profileColumns, profileOf } from '../snapshot/index.ts';
import { TokensRepository, type Owner } from './tokens.repository.ts';

const DAY_MS = 86_400_000;

/** Personal access tokens: minted for oneself only, shown once, kept as a hash. */
@Injectable()
export class TokensService {
  constructor(
    private readonly platform: Platform,
    private readonly changes: Changes,
    private readonly repository: TokensRepository,
  ) {}

  async list(caller: Caller, query: PageQuery): Promise<Page<Token>> {
    const after = startAfter(query, TokenId);
    const rows = await this.platform.database.withOrganisation(caller.organisationId, (tx) =>
      this.repository.page(tx, caller.organisationId, { owner: ownUnlessAdmin(caller, true), after, take: query.limit + 1 }),
    );
    return toPage(rows, query.limit, { key: ({ id }) => id, view });
  }

  async mint(
    { organisationId, userId }: Pick<Caller, 'organisationId' | 'userId'>,
    { clientProfile, name, expiresInDays }: TokenInput,
  ): Promise<MintedToken> {
    const createdAt = this.platform.clock.now();
    const id = newId(createdAt.getTime()) as TokenId;
    const token = mintToken('pbpat', id, this.platform.config.tokenTagKey.current.key);
    const expiresAt = new Date(createdAt.getTime() + expiresInDays * DAY_MS);
    const kept = { organisationId, id, userId, name, hint: tokenHint(token), tokenHash: hashToken(token), createdAt, expiresAt };
    const data = { ...kept, ...profileColumns(clientProfile) };
    const row = await this.changes.commit(organisationId, async (tx, announce) => {
      const created = await this.repository.create(tx, data);
      await announce({ tokenIds: [id] });
      return created;
    });
    return { ...view(row), token };
  }

  /** Ends a token for good. Doing so again changes nothing. */
  async revoke(caller: Caller, id: string): Promise<void> {
    const { organisationId } = caller;
    const { data: tokenId } = TokenId.safeParse(id);
    if (tokenId === undefined) throw new Refused('api.not_found');
    await this.changes.commit(organisationId, async (tx, announce) => {
      const row = await this.repository.find(tx, organisationId, { id: tokenId, owner: ownUnlessAdmin(caller, false) });
      if (row === null) throw new Refused('api.not_found');
      if (!(await this.repository.revoke(tx, organisationId, { id: tokenId, at: this.platform.clock.now() }))) return;
      await announce({ tokenIds: [tokenId], forget: [{ kind: 'token', tokenHash: row.tokenHash as TokenHash }] });
    });
  }
}

/** Owners and admins see and end everybody's tokens, auditors see them; others their own. */
function ownUnlessAdmin({ role, userId }: Caller, reading: boolean): Owner {
  return role === 'owner' || role === 'admin' || (reading && role === 'auditor') ? {} : { userId };
}

function view(row: PersonalToken): Token {
  const { id, userId, name, hint, createdAt, expiresAt, revokedAt } = row;
  return {
    id: id as TokenId,
    userId: userId as Token['userId'],
    name,
    hint,
    createdAt: createdAt.toISOString(),
    expiresAt: expiresAt.toISOString(),
    revokedAt: revokedAt?.toISOString() ?? null,
    clientProfile: profileOf(row) ?? {},
  };
}
