import type { StdioHostStatus } from '@patchbay/contracts';
import type { ProcessPool } from './pool.ts';
import type { Sandbox } from './sandbox/probe.ts';

/** What runs now, for operators; a process that is gone is not in it. */
export function statusOf(pool: ProcessPool, sandbox: Sandbox, processesMax: number): StdioHostStatus {
  return {
    isolation: { available: sandbox.tools !== null, missing: [...sandbox.missing] },
    processesMax,
    processes: pool.list().flatMap((running) => {
      if (running.state === 'gone') return [];
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
