import type { ServerProcesses, StdioHostStatus } from '@patchbay/contracts';
import type { PlacedServer } from './stdio-hosts.ts';

/** What the hosts say of one server, as its admins see it; null: a host that does not answer. */
export function serverProcesses(
  { generation, id, organisationId }: PlacedServer,
  statuses: readonly (StdioHostStatus | null)[],
): ServerProcesses {
  const answers = statuses.filter((status) => status !== null);
  const isIts = (one: { organisationId: string; serverId: string }) => one.organisationId === organisationId && one.serverId === id;
  const at = (ms: number) => new Date(ms).toISOString();
  return {
    silentHosts: statuses.length - answers.length,
    processes: answers
      .flatMap(({ processes }) => processes)
      .filter(isIts)
      .map(({ isolation, sessions, state, stderrTail, ...one }) => ({
        ...{ isolation, sessions, state, stderrTail, current: one.generation === generation },
        ...{ startedAt: at(one.startedAtMs), lastUsedAt: at(one.lastUsedAtMs) },
      })),
    failing: answers
      .flatMap(({ failing }) => failing ?? [])
      .filter((one) => isIts(one) && one.generation === generation)
      .map(({ during, failures, how, retryAtMs, stderrTail }) => ({ during, failures, how, stderrTail, retryAt: at(retryAtMs) })),
  };
}
