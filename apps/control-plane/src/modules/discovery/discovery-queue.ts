import { setTimeout } from 'node:timers/promises';
import { Platform } from '../../platform.ts';
import { Injectable } from '@nestjs/common';
import { OrganisationId, ServerId } from '@patchbay/contracts';
import { createPostgresBackend, Queue, Worker, type Job, type PostgresPoolConfig } from 'bullmq';
import { z } from 'zod';
import { readDiscoveryEveryMs } from '../../config/config.ts';
import { Meters, type JobResult } from '../../ops/meters.ts';
import { Maintenance } from '../maintenance/index.ts';
import { DiscoveryService } from './discovery.service.ts';

const QUEUE = 'patchbay';
const AT_ONCE = 4;
/** The library writes an event for each step of a job; nothing of ours reads them. */
const EVENTS_KEPT = 500;
const POOL = { max: 2, idleTimeoutMillis: 10_000 };
/** A server that cannot be reached may just be starting: asked again after 2, 4 and 8 seconds, then on schedule. */
const RETRIES = { attempts: 4, backoff: { type: 'exponential', delay: 2_000 }, removeOnComplete: true, removeOnFail: true };
/** How long a stop waits for jobs that run. */
const STOP_WAIT_MS = 2_000;
/** Ids, never content. */
const DiscoverJob = z.object({ organisationId: OrganisationId, serverId: ServerId });

type Connection = { readonly connection: PostgresPoolConfig };
type Jobs = ReturnType<typeof openQueue>;
type Takers = ReturnType<typeof openWorker>;

function openQueue(options: Connection) {
  return new Queue(QUEUE, { ...options, streams: { events: { maxLen: EVENTS_KEPT } } }, createPostgresBackend);
}

function openWorker(options: Connection, run: (job: Job) => Promise<void>) {
  return new Worker(QUEUE, run, { ...options, concurrency: AT_ONCE }, createPostgresBackend);
}

/** Discovery as jobs: when a server changes, on a schedule, and for what a killed process left undone. Maintenance keeps its pace. */
@Injectable()
export class DiscoveryQueue {
  #queue: Jobs | null = null;
  #worker: Takers | null = null;

  constructor(
    private readonly platform: Platform,
    private readonly discovery: DiscoveryService,
    private readonly maintenance: Maintenance,
    private readonly meters: Meters,
  ) {}

  /** Takes jobs from now on, and finds what a killed process left undone. */
  async start(): Promise<void> {
    const everyMs = readDiscoveryEveryMs();
    const worker = openWorker(this.#options(), (job) => this.#timed(job, everyMs));
    worker.on('error', (error) => this.platform.logger.warn({ err: error }, 'job worker'));
    worker.on('failed', (_job, error) => this.platform.logger.debug({ err: error }, 'job failed'));
    this.#worker = worker;
    for (const name of ['sweep', 'maintain']) {
      await this.#producer().upsertJobScheduler(name, { every: everyMs }, { name, opts: { removeOnComplete: true, removeOnFail: true } });
    }
    await this.#sweep(everyMs);
  }

  /** Has a server asked soon. Never throws: what is lost here the next sweep finds. One job for one state of a server. */
  async add(organisationId: OrganisationId, serverId: ServerId, generation: string): Promise<void> {
    const opts = { jobId: `discover-${serverId}-${generation}`, ...RETRIES };
    try {
      await this.#producer().add('discover', { organisationId, serverId }, opts);
    } catch (error) {
      this.platform.logger.error({ err: error, organisationId, serverId }, 'a discovery could not be queued');
    }
  }

  /** Takes no further jobs. One that a slow server holds up is left to the next start, which takes over what was not finished. */
  async stop(): Promise<void> {
    const closed = Promise.all([this.#worker?.close(), this.#queue?.close()]);
    await Promise.race([closed, setTimeout(STOP_WAIT_MS, undefined, { ref: false })]);
  }

  /** Opened by the first job that is added. */
  #producer(): Jobs {
    if (this.#queue !== null) return this.#queue;
    const queue = openQueue(this.#options());
    queue.on('error', (error) => this.platform.logger.warn({ err: error }, 'job queue'));
    this.#queue = queue;
    return queue;
  }

  #options(): Connection {
    return { connection: { connectionString: this.platform.config.databaseUrl.reveal(), schema: 'bullmq', migrate: false, ...POOL } };
  }

  async #timed(job: Job, everyMs: number): Promise<void> {
    const startedAt = performance.now();
    const ended = (result: JobResult): void => this.meters.jobEnded(job.name, result, (performance.now() - startedAt) / 1_000);
    try {
      await this.#run(job, everyMs);
      ended('done');
    } catch (error) {
      ended('failed');
      throw error;
    }
  }

  async #run(job: Job, everyMs: number): Promise<void> {
    if (job.name === 'sweep') return this.#sweep(everyMs);
    if (job.name === 'maintain') return this.maintenance.run();
    const { organisationId, serverId } = DiscoverJob.parse(job.data);
    if (!(await this.discovery.discover(organisationId, serverId))) throw new Error('the server could not be discovered');
  }

  async #sweep(everyMs: number): Promise<void> {
    const due = await this.platform.lookups.serversDue(new Date(this.platform.clock.now().getTime() - everyMs * 0.9));
    for (const { organisationId, serverId } of due) await this.add(organisationId, serverId, 'sweep');
  }
}
