import type { JobSeal } from './job-seal.ts';
import { JOB_AGE_MS_MAX } from './job-seal.ts';
import type { JobQueue } from './open-jobs.ts';

export type SchedulesDeps = {
  readonly queue: () => JobQueue;
  readonly seal: JobSeal;
  readonly nowMs: () => number;
  readonly names: readonly string[];
  readonly everyMs: number;
};

const ONCE = { removeOnComplete: true, removeOnFail: true };

/** Keeps schedules in the store, one of each name however many control planes there are. */
export class Schedules {
  readonly #deps: SchedulesDeps;

  constructor(deps: SchedulesDeps) {
    this.#deps = deps;
  }

  /**
   * Makes those that are missing, because the store is new or lost them, and makes anew those that would not run: their seal ends, or a
   * clock that jumped put their next run far away. Whether any was missing.
   */
  async ensure(): Promise<boolean> {
    let wasMissing = false;
    for (const name of this.#deps.names) {
      const found = await this.#deps.queue().getJobScheduler(name);
      if (found === undefined) wasMissing = true;
      else if (this.#runs(name, found)) continue;
      else await this.#deps.queue().removeJobScheduler(name);
      const data = this.#deps.seal.seal(name, {}, this.#deps.nowMs());
      await this.#deps.queue().upsertJobScheduler(name, { every: this.#deps.everyMs }, { name, data, opts: ONCE });
    }
    return wasMissing;
  }

  #runs(name: string, { every, next, template }: { every?: number; next?: number; template?: { data?: unknown } }): boolean {
    const { everyMs, nowMs, seal } = this.#deps;
    const [now, halfAnAge] = [nowMs(), JOB_AGE_MS_MAX / 2];
    if (every !== everyMs || next === undefined || Math.abs(next - now) > 2 * everyMs) return false;
    // As it will be halfway through its days: made anew long before a worker would call it old.
    return seal.open(name, template?.data, now + halfAnAge).ok && seal.open(name, template?.data, now - halfAnAge).ok;
  }
}
