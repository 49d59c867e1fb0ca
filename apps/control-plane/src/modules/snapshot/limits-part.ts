import type { LimitsPart } from '@patchbay/contracts';
import type { LimitRow } from './tenant-rows.repository.ts';

/** The document that tells gateways an organisation's limits; the same rows give the same text. */
export function limitsDocument(limits: readonly LimitRow[]): LimitsPart {
  const rows = limits.map(
    ({ id, name, mode, per, subjectKind, userId, tokenId, serverId, tool, windowSeconds, windowMax, concurrency }) => ({
      id,
      name,
      mode,
      per,
      applies: { subject: subjectOf(subjectKind, userId), tokenId, serverId, tool },
      windows: windowSeconds.map((seconds, index) => ({ windowMs: seconds * 1000, max: windowMax[index] })),
      concurrency,
    }),
  );
  // Rows hold what our own schemas and the table's checks admitted.
  return { format: 1, limits: rows } as LimitsPart;
}

function subjectOf(kind: string | null, userId: string | null): object | null {
  if (kind === null) return null;
  return kind === 'user' ? { kind, userId } : { kind };
}
