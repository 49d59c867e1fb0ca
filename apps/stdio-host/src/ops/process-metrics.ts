import type { Isolation } from '@patchbay/contracts';
import type { ErrorCode } from '@patchbay/errors';
import type { Metrics } from '@patchbay/telemetry';
import type { ProcessPool } from '../pool.ts';

/** What happens to processes, told by the pool. */
export type ProcessEvents = {
  /** `again`: after a failure of the same server that is not forgiven yet. */
  started(isolation: Isolation, again: boolean): void;
  /** None was started, or it did not get as far as answering `initialize`. */
  startFailed(code: ErrorCode): void;
  /** It ended by itself after it had answered. */
  crashed(): void;
  /** It had to be killed: it did not end in time when told to, or broke the rules of its output. */
  killed(): void;
};

export function makeProcessEvents(metrics: Metrics): ProcessEvents {
  const counter = <L extends string>(name: string, help: string, labels: readonly L[]) =>
    metrics.counter({ name: `patchbay_stdio_host_${name}_total`, help, labels });
  const starts = counter('starts', 'Processes started.', ['isolation']);
  const restarts = counter('restarts', 'Of the processes started, those whose server had failed before.', ['isolation']);
  const startFailures = counter('start_failures', 'Starts that came to nothing, by the code their callers got.', ['code']);
  const crashes = counter('crashes', 'Processes that ended by themselves.', []).labels({});
  const kills = counter('kills', 'Processes that had to be killed.', []).labels({});
  return {
    started(isolation, again) {
      starts.labels({ isolation }).inc();
      if (again) restarts.labels({ isolation }).inc();
    },
    startFailed: (code) => startFailures.labels({ code }).inc(),
    crashed: () => crashes.inc(),
    killed: () => kills.inc(),
  };
}

/** What runs now, read each time metrics are asked for. */
export function registerProcesses(metrics: Metrics, pool: Pick<ProcessPool, 'list'>, processesMax: number): void {
  const states = ['starting', 'ready', 'stopping'] as const;
  metrics.read({ type: 'gauge', name: 'patchbay_stdio_host_processes', help: 'Processes that run now.', labels: ['state'] }, () =>
    states.map((state) => [{ state }, pool.list().filter((running) => running.state === state).length] as const),
  );
  metrics.read({ type: 'gauge', name: 'patchbay_stdio_host_processes_max', help: 'How many may run at once.', labels: [] }, () => [
    [{}, processesMax],
  ]);
  metrics.read({ type: 'gauge', name: 'patchbay_stdio_host_sessions', help: 'Sessions that are open now.', labels: [] }, () => [
    [{}, pool.list().reduce((sum, { sessions }) => sum + sessions.size, 0)],
  ]);
}
