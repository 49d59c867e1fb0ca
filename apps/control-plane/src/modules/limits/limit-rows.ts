import type { Limit as LimitDto, LimitInput } from '@patchbay/contracts';
import type { Limit } from '../../prisma/index.ts';
import type { LimitRow } from './limits.repository.ts';

/** Ids of what the API names otherwise. */
export type References = { readonly serverId: string | null };

/** The columns that a caller sets. */
export function fieldsOf(
  { name, mode, per, applies, windows, concurrency }: LimitInput,
  { serverId }: References,
): Omit<Limit, 'organisationId' | 'id' | 'createdAt' | 'updatedAt'> {
  const { subject, token, tool } = applies;
  return {
    name,
    mode,
    per,
    subjectKind: subject?.kind ?? null,
    userId: subject?.kind === 'user' ? subject.userId : null,
    tokenId: token,
    serverId,
    tool,
    windowSeconds: windows.map(({ seconds }) => seconds),
    windowMax: windows.map(({ max }) => max),
    concurrency,
  };
}

/** A row as the API shows it. */
export function view(row: LimitRow): LimitDto {
  const { id, name, mode, per, tokenId, server, tool, windowSeconds, windowMax, concurrency } = row;
  const dto = {
    id,
    name,
    mode,
    per,
    applies: { subject: subjectOf(row), token: tokenId, server: server?.slug ?? null, tool },
    windows: windowSeconds.map((seconds, index) => ({ seconds, max: windowMax[index] })),
    concurrency,
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
  };
  // Rows hold what our own schemas and the table's checks admitted.
  return dto as LimitDto;
}

function subjectOf({ subjectKind, userId }: LimitRow): object | null {
  if (subjectKind === null) return null;
  return subjectKind === 'user' ? { kind: 'user', userId } : { kind: 'everyone' };
}
