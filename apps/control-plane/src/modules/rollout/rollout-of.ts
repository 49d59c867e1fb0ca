import { PODS, type OrganisationId, type Revision, type Rollout, type RolloutPod } from '@patchbay/contracts';
import { isBelow, type Pod, type Position } from './pod-registry.ts';

/** What is asked, and since when this control plane has known of it (never before it was committed). */
export type Asked = {
  readonly organisationId: OrganisationId;
  readonly position: Position;
  readonly knownSinceMs: number;
};

export type Standing = Omit<Rollout, 'newest' | 'pods'> & { readonly pods: readonly RolloutPod[] };

/**
 * Where a revision stands among these pods. `wallMs` turns this process's monotonic times into dates. A pod counts as enforcing only by
 * its own authenticated word; one that is silent and may still serve keeps the revision unconfirmed.
 */
export function rolloutOf(
  asked: Asked,
  pods: readonly Pod[],
  at: { nowMs: number; knowsWhoIsThere: boolean; wallMs(ms: number): number },
): Standing {
  const date = (ms: number): string => new Date(Math.round(at.wallMs(ms))).toISOString();
  const silent = pods.filter((pod) => at.nowMs > pod.leasedUntilMs);
  const leased = pods.filter((pod) => at.nowMs <= pod.leasedUntilMs);
  const acknowledged = leased.map((pod) => acknowledgedAtMs(pod, asked));
  const waitingFor = waiting({ behind: acknowledged.includes(null), silent: silent.length > 0, knows: at.knowsWhoIsThere });
  const view = (pod: Pod, state: RolloutPod['state']): RolloutPod => ({
    id: pod.podId,
    revision: saidOf(pod, asked),
    lagMs: state === 'acknowledged' ? 0 : Math.max(0, Math.round(at.nowMs - asked.knownSinceMs)),
    lastHeardAt: date(pod.heardAtMs),
    state,
  });
  const times = acknowledged.filter((ms) => ms !== null);
  return {
    revision: asked.position.revision as Revision,
    confirmedAt: waitingFor === null ? date(Math.max(asked.knownSinceMs, ...times)) : null,
    waitingFor,
    pods: [
      ...leased.map((pod, index) => view(pod, acknowledged[index] === null ? 'behind' : 'acknowledged')),
      ...silent.map((pod) => view(pod, 'not-heard-from')),
    ],
    notHeardFrom: silent.map(({ podId }) => podId),
    guaranteedBy: silent.length === 0 ? null : date(Math.max(...silent.map((pod) => pod.heardAtMs + pod.stalenessBudgetMs))),
  };
}

/** Since when the pod cannot serve the organisation below the position; null when it may. */
function acknowledgedAtMs({ complete, said }: Pod, { knownSinceMs, organisationId, position }: Asked): number | null {
  const about = said.get(organisationId);
  const raised = about?.raises.find((raise) => !isBelow(raise, position));
  if (raised !== undefined) return raised.atMs;
  if (complete === null || complete.comparedMsAgo === null || !complete.prompt) return null;
  if (about !== undefined && about.loadedAt >= complete.first) return null;
  // Not loaded, and since the revision exists the pod was told every organisation's position, below which it loads none.
  const comparedAtMs = complete.heardAtMs - complete.comparedMsAgo - PODS.messageAgeMaxMs;
  return comparedAtMs > knownSinceMs ? complete.heardAtMs : null;
}

function saidOf({ said }: Pod, { organisationId, position }: Asked): Revision | null {
  const last = said.get(organisationId)?.raises.at(-1);
  return last === undefined || last.epoch !== position.epoch ? null : (last.revision as Revision);
}

function waiting({ behind, knows, silent }: { behind: boolean; knows: boolean; silent: boolean }): Standing['waitingFor'] {
  if (!knows) return 'knowing-who-is-there';
  if (behind) return 'pods';
  return silent ? 'pods-not-heard-from' : null;
}
