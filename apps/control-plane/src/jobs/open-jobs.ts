import { parseRedisUrl, type RedisTarget } from '@patchbay/ports';
import {
  createIORedisClient,
  createPostgresBackend,
  createRedisBackend,
  Queue,
  RedisConnection,
  Worker,
  type JobSchedulerJson,
  type JobsOptions,
  type RedisOptions,
} from 'bullmq';
import { Redis } from 'ioredis';

/** Where jobs lie: in Redis where there is one, else in Postgres. */
export type JobsAt = { readonly redisUrl: string | null; readonly databaseUrl: string };

/** A job as it was found. Nothing in it is proven before its seal is opened. */
export type FoundJob = { readonly name: string; readonly data: unknown; readonly attemptsMade: number };

/** What the control plane asks of a queue, whichever store it is in. */
export type JobQueue = {
  add(name: string, data: object, options: JobsOptions): Promise<unknown>;
  getJobScheduler(id: string): Promise<JobSchedulerJson | undefined>;
  removeJobScheduler(id: string): Promise<unknown>;
  upsertJobScheduler(
    id: string,
    repeat: { every: number },
    template: { name: string; data: object; opts: { removeOnComplete: boolean; removeOnFail: boolean } },
  ): Promise<unknown>;
  close(): Promise<void>;
};

export type JobWorker = { close(): Promise<void> };

type Told = { readonly onError: (error: Error) => void };
export type WorkerOptions = Told & { readonly atOnce: number; readonly run: (job: FoundJob) => Promise<void> };

const QUEUE = 'patchbay';
/** The braces are for Redis Cluster: all keys of the queue on one node. */
const PREFIX = '{patchbay}';
/** The library writes an event for each step of a job; nothing of ours reads them. */
const STREAMS = { events: { maxLen: 500 } };
const POOL = { max: 2, idleTimeoutMillis: 10_000 };

// Its own way to the client is `require`, which modules do not have.
RedisConnection.clientFactory = (options) => createIORedisClient(new Redis(options as RedisTarget));

/** Opens at once; a store that is away makes calls wait until it is back. */
export function openQueue(at: JobsAt, { onError }: Told): JobQueue {
  const queue =
    at.redisUrl === null
      ? new Queue(QUEUE, { ...inPostgres(at), streams: STREAMS }, createPostgresBackend)
      : new Queue(QUEUE, { ...inRedis(at.redisUrl), streams: STREAMS }, createRedisBackend);
  queue.on('error', onError);
  return queue;
}

/** Takes jobs from now on. */
export function openWorker(at: JobsAt, { atOnce, onError, run }: WorkerOptions): JobWorker {
  const options = { concurrency: atOnce };
  const worker =
    at.redisUrl === null
      ? new Worker(QUEUE, run, { ...inPostgres(at), ...options }, createPostgresBackend)
      : new Worker(QUEUE, run, { ...inRedis(at.redisUrl), ...options }, createRedisBackend);
  worker.on('error', onError);
  return worker;
}

function inPostgres({ databaseUrl }: JobsAt) {
  return { connection: { connectionString: databaseUrl, schema: 'bullmq', migrate: false, ...POOL } };
}

function inRedis(url: string) {
  const connection: RedisTarget = {
    ...parseRedisUrl(url),
    connectTimeout: 2_000,
    keepAlive: 10_000,
    // Longer than a worker waits for a job: a server or a link that hangs is given up and dialled anew.
    socketTimeout: 30_000,
    maxRetriesPerRequest: null,
    retryStrategy: (attempt) => Math.min(100 * 2 ** Math.min(attempt, 5), 2_000) * (0.5 + Math.random() / 2),
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  };
  // The library's own type of the same options.
  return { connection: connection as RedisOptions, prefix: PREFIX };
}
