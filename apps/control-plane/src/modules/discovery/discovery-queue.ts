import { Injectable } from '@nestjs/common';
import { OrganisationId, ServerId } from '@patchbay/contracts';
import { createPostgresBackend, Queue, Worker, type Job } from 'bullmq';
import { z } from 'zod';
import { Clock } from '../../common/clock.ts';
import { Logger } from '../../common/logger.ts';
import { Config, readDiscoveryEveryMs } from '../../config/config.ts';
import { Lookups } from '../../prisma/index.ts';
import { DiscoveryService } from './discovery.service.ts';

const QUEUE = 'patchbay';
const AT_ONCE = 4;
const POOL = { max: 2, idleTimeoutMillis: 10_000 };
/** Ids, never content. */
const DiscoverJob = z.object({ organisationId: OrganisationId, serverId: ServerId });

/** Discovery as jobs: when a server changes, on a schedule, and for what a killed process left undone. */
@Injectable()
export class DiscoveryQueue {
  #queue: Queue | null = null;
  #worker: Worker | null = null;

  constructor(
    private readonly config: Config,
    private readonly discovery: DiscoveryService,
    private readonly lookups: Lookups,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {}

  async start(): Promise<void> {
    const everyMs = readDiscoveryEveryMs();
    const options = { connection: { connectionString: this.config.databaseUrl.reveal(), schema: 'bullmq', migrate: false, ...POOL }, backend: createPostgresBackend };
    const report = (error: Error): void => this.logger.warn({ err: error }, 'job queue');
    this.#queue = new Queue(QUEUE, options as never);
    this.#queue.on('error', report);
    this.#worker = new Worker(QUEUE, (job: Job) => this.#run(job, everyMs), { ...options, concurrency: AT_ONCE } as never);
    this.#worker.on('error', report);
    this.#worker.on('failed', (_job, error) => this.logger.error({ err: error }, 'job failed'));
    await this.#queue.upsertJobScheduler('sweep', { every: everyMs }, { name: 'sweep', opts: { removeOnComplete: true, removeOnFail: true } });
    await this.#sweep(everyMs);
  }

  /** Has a server asked soon. Never throws: what is lost here the next sweep finds. One job for one state of a server. */
  add(organisationId: OrganisationId, serverId: ServerId, generation: string): void {
    const opts = { jobId: `discover-${serverId}-${generation}`, removeOnComplete: true, removeOnFail: true };
    this.#queue?.add('discover', { organisationId, serverId }, opts).catch((error: unknown) => this.logger.error({ err: error }, 'a discovery could not be queued'));
  }

  async stop(): Promise<void> {
    await this.#worker?.close();
    await this.#queue?.close();
  }

  async #run(job: Job, everyMs: number): Promise<void> {
    if (job.name === 'sweep') return this.#sweep(everyMs);
    const { organisationId, serverId } = DiscoverJob.parse(job.data);
    await this.discovery.discover(organisationId, serverId);
  }

  async #sweep(everyMs: number): Promise<void> {
    const due = await this.lookups.serversDue(new Date(this.clock.now().getTime() - everyMs * 0.9));
    for (const { organisationId, serverId } of due) this.add(organisationId, serverId, 'sweep');
  }
}
