import type { TokenHash } from '@patchbay/contracts';
import type { TokenDirectory } from '../directory/token-directory.ts';
import { judgeToken } from '../pipeline/authenticate.ts';
import type { Clock } from '../snapshot/log.ts';
import type { SnapshotStore } from '../snapshot/store.ts';
import type { IsAdmitted } from './client-streams.ts';

export type IsAdmittedDeps = {
  readonly snapshots: Pick<SnapshotStore, 'current' | 'stale'>;
  readonly tokens: Pick<TokenDirectory, 'peek' | 'lookup'>;
  readonly clock: Clock;
};

/**
 * Whether a stream's owner would be let in now. When nobody can say, it would be told to come again, and the stream stays: what is known
 * against it arrives by itself. An organisation whose streams are asked about is in use.
 */
export function makeIsAdmitted({ snapshots, tokens, clock }: IsAdmittedDeps): IsAdmitted {
  return async function isAdmitted({ organisationSlug, principal, tokenHash }) {
    const snapshot = snapshots.current(organisationSlug);
    if (snapshot === undefined || snapshots.stale(organisationSlug)) return false;
    const hash = tokenHash as TokenHash;
    const answer = tokens.peek(hash) ?? (await tokens.lookup(principal.organisationId, hash, { address: '', organisationSlug }));
    if (answer.kind !== 'known') return answer.kind === 'unavailable';
    return judgeToken(answer, { snapshot, tokenHash: hash, nowMs: clock.nowMs() }) === undefined;
  };
}
