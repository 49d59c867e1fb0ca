import type { StdioHostStatus } from '@patchbay/contracts';
import type { ProcessPool } from './pool.ts';
import type { Holds } from './limits/holds.ts';
import type { Sandbox } from './sandbox/probe.ts';

/** What runs now; of one server alone where `serverId` names it. A process that is gone is not in it. */
export function statusOf(
  { holds, pool, processesMax, sandbox }: { pool: ProcessPool; processesMax: number; sandbox: Sandbox; holds: Holds },
  serverId: string | null,
): StdioHostStatus {
  return {
    isolation: { available: sandbox.tools !== null, missing: [...sandbox.missing] },
    processesMax,
    limits: { ...holds.limits, heldBy: holds.by },
    failing: pool.failing().filter((one) => serverId === null || one.serverId === serverId),
    processes: pool.list().flatMap((running) => {
      if (running.state === 'gone' || (serverId !== null && running.key.serverId !== serverId)) return [];
      return {
        organisationId: running.key.organisationId,
        serverId: running.key.serverId,
        slug: running.spec.slug,
        generation: running.spec.generation,
        pid: running.pid,
        isolation: running.spec.isolation,
        state: running.state,
        sessions: running.sessions.size,
        startedAtMs: running.startedAtMs,
        lastUsedAtMs: running.lastUsedAtMs,
        stderrTail: running.tail.lines(),
        strayLines: running.tail.strayLines,
      };
    }),
  };
}
