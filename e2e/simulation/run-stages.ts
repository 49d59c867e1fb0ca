import type { Scheduler } from './scheduler.ts';
import type { Trace } from './trace.ts';

/** What came of one seed, whatever was simulated. */
export type StagesRun = {
  /** The first broken rule, or what else went wrong. */
  readonly violation: Error | null;
  /** The last lines before it, or of the whole run. */
  readonly trace: readonly string[];
  readonly events: number;
  readonly simulatedMs: number;
};

/** Runs stages of a world one after another in simulated time, up to the first violation, wherever that is noticed. */
export async function runStages(
  { scheduler, trace }: { readonly scheduler: Scheduler; readonly trace: Trace },
  stages: readonly (() => Promise<void>)[],
): Promise<StagesRun> {
  const uninstall = scheduler.install();
  let violation: Error | null = null;
  // The first one counts, and what led to it.
  scheduler.fault = (error) => {
    if (violation !== null) return;
    violation = error;
    trace.note(error.message);
    trace.close();
  };
  try {
    for (const stage of stages) if (violation === null) await stage();
  } catch (error) {
    violation ??= error instanceof Error ? error : new Error(String(error));
  } finally {
    uninstall();
  }
  return { violation, trace: trace.last(120), events: scheduler.events, simulatedMs: scheduler.nowMs };
}
