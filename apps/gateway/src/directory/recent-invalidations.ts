import type { Invalidation, OrganisationId, TokenHash, UserId } from '@patchbay/contracts';
import type { Clock } from '../snapshot/log.ts';

/**
 * Remembers invalidations for longer than any lookup can take, so that one that arrived before the answer it concerns
 * still counts. Bounded: when full, everything of before that moment is distrusted instead.
 */
export type RecentInvalidations = {
  /** False when it, or a later one of the same subject, is remembered already. */
  add(organisationId: OrganisationId, invalidation: Invalidation): boolean;
  /** Whether what was true at `revision` has been withdrawn since. */
  withdrawn(organisationId: OrganisationId, subject: { tokenHash: TokenHash; userId: UserId }, revision: number): boolean;
  forget(organisationId: OrganisationId): void;
};

/** Lookups end within 3 s; a manifest repeats its invalidations for ten minutes. */
const REMEMBERED_MS = 11 * 60_000;
const REMEMBERED_MAX = 50_000;

export function makeRecentInvalidations(deps: {
  clock: Clock;
  max?: number;
  overflowed: (organisationId: OrganisationId) => void;
}): RecentInvalidations {
  const { clock, max = REMEMBERED_MAX, overflowed } = deps;
  const remembered = new Map<string, { revision: number; untilMs: number; organisationId: OrganisationId }>();

  const newestOf = (key: string): number => remembered.get(key)?.revision ?? -1;

  function makeRoom(): void {
    const nowMs = clock.monotonicMs();
    for (const [key, { untilMs, organisationId }] of remembered) {
      if (untilMs > nowMs && remembered.size < max) return;
      remembered.delete(key);
      if (untilMs > nowMs) overflowed(organisationId);
    }
  }

  return {
    add(organisationId, invalidation) {
      const key = keyOf(organisationId, invalidation);
      if (key === null || newestOf(key) >= invalidation.revision) return false;
      remembered.delete(key);
      makeRoom();
      remembered.set(key, { revision: invalidation.revision, untilMs: clock.monotonicMs() + REMEMBERED_MS, organisationId });
      return true;
    },
    withdrawn(organisationId, { tokenHash, userId }, revision) {
      return newestOf(`t:${organisationId}:${tokenHash}`) > revision || newestOf(`u:${organisationId}:${userId}`) > revision;
    },
    forget(organisationId) {
      for (const [key, known] of remembered) {
        if (known.organisationId === organisationId) remembered.delete(key);
      }
    },
  };
}

function keyOf(organisationId: OrganisationId, invalidation: Invalidation): string | null {
  switch (invalidation.kind) {
    case 'token':
      return `t:${organisationId}:${invalidation.tokenHash}`;
    case 'user':
      return `u:${organisationId}:${invalidation.userId}`;
    case 'credential':
      return null;
  }
}
