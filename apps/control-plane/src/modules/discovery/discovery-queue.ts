import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { OrganisationId, ServerId } from '@patchbay/contracts';
import { z } from 'zod';
import { readDiscoveryEveryMs } from '../../config/config.ts';
import { JobSeal } from '../../jobs/job-seal.ts';
import { openQueue, openWorker, type FoundJob, type JobQueue, type JobsAt, type JobWorker } from '../../jobs/open-jobs.ts';
import { Schedules } from '../../jobs/schedules.ts';
import { Meters } from '../../ops/meters.ts';
import { Platform } from '../../platform.ts';
import { Maintenance } from '../maintenance/index.ts';
import { DiscoveryService } from './discovery.service.ts';

const AT_ONCE = 4;
/** A server that cannot be reached may just be starting: asked again after 2, 4 and 8 seconds, then on schedule. */
const ATTEMPTS = 4;
const RETRIES = { attempts: ATTEMPTS, backoff: { type: 'exponential', delay: 2_000 }, removeOnComplete: true, removeOnFail: true };
/** How long a stop waits for jobs that run. */
const STOP_WAIT_MS = 2_000;
/** How long a store that is away holds anybody up; what was to be written is written when it is back. */
const STORE_WAIT_MS = 1_500;
/** How often the schedules are looked at, because the store may have lost them: at least as often as they run. */
const ENSURE_EVERY_MS_MAX = 60_000;
const SCHEDULED = ['sweep', 'maintain'];
/** Ids, never content. */
const DiscoverJob = z.object({ organisationId: OrganisationId, serverId: ServerId });
type DiscoverJob = z.infer<typeof DiscoverJob>;

/** Discovery as jobs: when a server changes, on a schedule, and for what a killed process left undone. Maintenance keeps its pace. */
@Injectable()
export class DiscoveryQueue {
  readonly #seal: JobSeal;
  readonly #saidDropped = new Set<string>();
  #queue: JobQueue | null = null;
  #worker: JobWorker | null = null;
  #everyMs = 0;
  #schedules: Schedules | null = null;
  #ensuring: Promise<void> | null = null;
  #ensure: NodeJS.Timeout | null = null;

  constructor(
    private readonly platform: Platform,
    private readonly discovery: DiscoveryService,
    private readonly maintenance: Maintenance,
    private readonly meters: Meters,
  ) {
    this.#seal = new JobSeal(platform.config.masterKey);
  }

  /** Takes jobs from now on, and finds what a killed process left undone: at once, or when a store that is away is back. */
  async start(): Promise<void> {
    this.#everyMs = readDiscoveryEveryMs();
    this.#schedules = new Schedules({
      queue: () => this.#producer(),
      seal: this.#seal,
      nowMs: () => this.#nowMs(),
      names: SCHEDULED,
      everyMs: this.#everyMs,
    });
    const onError = (error: Error): void => this.platform.logger.warn({ err: error }, 'job worker');
    this.#worker = openWorker(this.#at(), { atOnce: AT_ONCE, run: (job) => this.#take(job), onError });
    await Promise.race([this.#started(), sleep(STORE_WAIT_MS, undefined, { ref: false })]);
    this.#ensure = setInterval(() => this.recover(), Math.min(this.#everyMs, ENSURE_EVERY_MS_MAX));
    this.#ensure.unref();
  }

  /** The store may have lost what was in it: has that found out soon. Never throws. */
  recover(): void {
    if (this.#schedules === null || this.#ensuring !== null) return;
    this.#ensuring = this.#ensureSchedules()
      .catch((error: unknown) => this.platform.logger.warn({ err: error }, 'the schedules could not be looked at'))
      .finally(() => (this.#ensuring = null));
  }

  /** Has a server asked soon. Never throws: what is lost here the next sweep finds. One job for one state of a server. */
  async add(organisationId: OrganisationId, serverId: ServerId, generation: string): Promise<void> {
    await this.#put('discover', { organisationId, serverId }, `discover-${serverId}-${generation}`);
  }

  /** As that, going by nothing that was found before. One job a server at a time, whoever doubts it. */
  async addProbe(organisationId: OrganisationId, serverId: ServerId): Promise<void> {
    await this.#put('probe', { organisationId, serverId }, `probe-${serverId}`);
  }

  async #put(name: string, { organisationId, serverId }: DiscoverJob, jobId: string): Promise<void> {
    const added = this.#producer()
      .add(name, this.#seal.seal(name, { organisationId, serverId }, this.#nowMs()), { jobId, ...RETRIES })
      .catch((error: unknown) => this.platform.logger.error({ err: error, organisationId, serverId }, 'a discovery could not be queued'));
    await Promise.race([added, sleep(STORE_WAIT_MS, undefined, { ref: false })]);
  }

  /** Takes no further jobs. One that a slow server holds up is left to the next start, which takes over what was not finished. */
  async stop(): Promise<void> {
    if (this.#ensure !== null) clearInterval(this.#ensure);
    const closed = Promise.all([this.#worker?.close(), this.#queue?.close()]);
    await Promise.race([closed, sleep(STOP_WAIT_MS, undefined, { ref: false })]);
  }

  #nowMs(): number {
    return this.platform.clock.now().getTime();
  }

  #at(): JobsAt {
    const { databaseUrl, redisUrl } = this.platform.config;
    return { redisUrl: redisUrl?.reveal() ?? null, databaseUrl: databaseUrl.reveal() };
  }

  /** Opened by the first job that is added. */
  #producer(): JobQueue {
    this.#queue ??= openQueue(this.#at(), { onError: (error) => this.platform.logger.warn({ err: error }, 'job queue') });
    return this.#queue;
  }

  async #started(): Promise<void> {
    try {
      await this.#ensureSchedules();
      await this.#sweep();
    } catch (error) {
      this.platform.logger.warn({ err: error }, 'the schedules could not be made; it is tried again');
    }
  }

  async #ensureSchedules(): Promise<void> {
    // What was lost with them was waiting jobs, too.
    if ((await this.#schedules?.ensure()) === true) await this.#sweep();
  }

  async #take(job: FoundJob): Promise<void> {
    const opened = this.#seal.open(job.name, job.data, this.#nowMs());
    if (!opened.ok) return this.#drop(opened.why);
    const startedAt = performance.now();
    const ended = (result: 'done' | 'failed'): void => this.meters.jobEnded(job.name, result, (performance.now() - startedAt) / 1_000);
    try {
      const done = await this.#run(job.name, opened.data);
      ended(done ? 'done' : 'failed');
      // The store says how often a job is tried again, and anybody may have written that there.
      if (!done && job.attemptsMade + 1 < ATTEMPTS) throw new Error('the server could not be discovered');
    } catch (error) {
      this.platform.logger.debug({ err: error }, 'job failed');
      throw error;
    }
  }

  /** Not ours, or not of today: nothing is done. Counted each time, said once. */
  #drop(why: 'forged' | 'old'): void {
    this.meters.jobDropped(why);
    if (this.#saidDropped.has(why)) return;
    this.#saidDropped.add(why);
    this.platform.logger.error({ why }, 'a job was dropped that no control plane of ours put there today; further ones are counted');
  }

  /** False when it is worth another try. */
  async #run(name: string, data: unknown): Promise<boolean> {
    if (name === 'sweep') await this.#sweep();
    else if (name === 'maintain') await this.maintenance.run();
    else {
      const { organisationId, serverId } = DiscoverJob.parse(data);
      const outcome = await this.discovery.discover(organisationId, serverId, { isDoubted: name === 'probe' });
      return outcome !== 'failed';
    }
    return true;
  }

  async #sweep(): Promise<void> {
    const due = await this.platform.lookups.serversDue(new Date(this.#nowMs() - this.#everyMs * 0.9));
    for (const { organisationId, serverId } of due) await this.add(organisationId, serverId, 'sweep');
  }
}
