import { readFileSync } from 'node:fs';
import { createPostgresBackend, createIORedisClient, Queue, RedisConnection, type RedisOptions } from 'bullmq';
import { Redis } from 'ioredis';
import { ENV } from '@patchbay/contracts';
import { parseRedisUrl } from '@patchbay/ports';
import { startModernUpstream, testRedis, type ModernUpstream, type TestRedis } from '@patchbay/testkit';
import { loadKeyring } from '@patchbay/vault';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { JobSeal } from '../src/jobs/job-seal.ts';
import { Installation, until } from './support/installation.ts';

const EVERY_MS = 2_000;
const DROPPED = 'patchbay_control_plane_jobs_dropped_total';
const RUN = 'patchbay_control_plane_job_duration_seconds_count';

RedisConnection.clientFactory = (options) => createIORedisClient(new Redis(options as never));

/** The store as whoever can write to it sees it. */
function outsider(installation: Installation, redis: TestRedis | null): Queue {
  const queue =
    redis === null
      ? new Queue(
          'patchbay',
          { connection: { connectionString: installation.postgres.superuserUrl(installation.database), schema: 'bullmq', migrate: false } },
          createPostgresBackend,
        )
      : new Queue('patchbay', { connection: parseRedisUrl(redis.url) as RedisOptions, prefix: '{patchbay}' });
  queue.on('error', () => undefined);
  return queue as Queue;
}

describe.each(['Postgres', 'Redis'])('jobs in %s', (store) => {
  let redis: TestRedis | null = null;
  let first: Installation;
  let second: Installation;
  let queue: Queue;
  let upstream: ModernUpstream;
  let server: { id: string };
  let organisationId: string;

  beforeAll(async () => {
    redis = store === 'Redis' ? await testRedis() : null;
    const env = { [ENV.discoveryEveryMs]: String(EVERY_MS), ...(redis === null ? {} : { [ENV.redisUrl]: redis.url }) };
    first = await Installation.start(env);
    second = await first.beside();
    queue = outsider(first, redis);
    upstream = await startModernUpstream();
    server = (await first.api('POST', '/servers', { kind: 'streamable-http', slug: 'asked', url: upstream.url })).body;
    organisationId = (await first.internal('/internal/v1/revisions')).body.organisations[0].organisationId;
    await until(async () => (await first.api('GET', '/servers/asked')).body.status === 'ready', 'the first discovery');
  }, 60_000);

  afterAll(async () => {
    await queue.close();
    await second.kill();
    await first.stop();
    await upstream.close();
    await redis?.stop();
  });

  const total = async (name: string, ...labels: string[]): Promise<number> =>
    (await first.metric(name, ...labels)) + (await second.metric(name, ...labels));

  test('schedules run once however many control planes there are', async () => {
    const sweeps = (): Promise<number> => total(RUN, 'kind="sweep"');
    const [before, startedAt] = [await sweeps(), performance.now()];
    await until(async () => (await sweeps()) >= before + 4, 'four sweeps');
    // Twice as many runs as intervals would be two schedules.
    expect((performance.now() - startedAt) / EVERY_MS).toBeGreaterThan(2.4);
    expect((await queue.getJobSchedulers()).map(({ name }) => name).sort()).toEqual(['maintain', 'sweep']);
  }, 30_000);

  test('a job that somebody else put there does nothing, and is counted', async () => {
    const before = await total(DROPPED, 'reason="forged"');
    const data = { organisationId, serverId: server.id };
    const seal = new JobSeal(loadKeyring(first.env[ENV.masterKeyFile] ?? ''));
    const sealed = seal.seal('discover', data, Date.now());
    const forged: [string, object][] = [
      ['discover', data],
      ['discover', { data, atMs: Date.now(), mac: 'x' }],
      ['discover', { ...sealed, data: { ...data, organisationId: server.id } }],
      ['maintain', sealed],
      ['sweep', {}],
      ['anything', { data: {}, atMs: Date.now(), mac: '' }],
    ];
    for (const [name, content] of forged) await queue.add(name, content, { removeOnComplete: true });
    await until(async () => (await total(DROPPED, 'reason="forged"')) >= before + forged.length, 'the forged jobs to be dropped');
    expect(await total(RUN, 'kind="anything"')).toBe(0);
    expect(`${first.output}${second.output}`).not.toContain('ZodError');
  });

  test('a job of ours that is put there again only has its server asked again; one of another day does not', async () => {
    const seal = new JobSeal(loadKeyring(first.env[ENV.masterKeyFile] ?? ''));
    const data = { organisationId, serverId: server.id };
    const [askedBefore, doneBefore] = [upstream.seenHeaders.length, await total(RUN, 'kind="discover"', 'result="done"')];
    const job = seal.seal('discover', data, Date.now() - 3_600_000);
    for (const id of ['a', 'b']) await queue.add('discover', job, { jobId: `replayed-${id}`, removeOnComplete: true });
    await until(async () => (await total(RUN, 'kind="discover"', 'result="done"')) >= doneBefore + 2, 'the replayed jobs');
    expect(upstream.seenHeaders.length).toBeGreaterThan(askedBefore);
    const oldBefore = await total(DROPPED, 'reason="old"');
    await queue.add('discover', seal.seal('discover', data, Date.now() - 90_000_000), { removeOnComplete: true });
    await until(async () => (await total(DROPPED, 'reason="old"')) > oldBefore, 'the old job to be dropped');
  });

  test('what a job carries and where it lies hold no secret', async () => {
    await first.api('PATCH', '/servers/asked', { headers: { 'x-key': 'hunter2' } });
    await until(async () => (await first.api('GET', '/servers/asked')).body.status === 'ready', 'another discovery');
    const masterKey = readFileSync(first.env[ENV.masterKeyFile] ?? '', 'utf8').trim();
    const jobs = JSON.stringify([await queue.getJobs(), await queue.getJobSchedulers()]);
    expect(jobs).toContain('"mac"');
    expect(jobs).not.toContain('hunter2');
    expect(jobs).not.toContain(masterKey);
  });

  test('schedules that somebody removed, or put years away, come back', async () => {
    for (const scheduler of await queue.getJobSchedulers()) await queue.removeJobScheduler(scheduler.name);
    const third = await first.beside();
    await until(async () => (await queue.getJobSchedulers()).length === 2, 'both schedules');
    await queue.upsertJobScheduler('sweep', { every: 365 * 86_400_000 }, { name: 'sweep', data: {} });
    await third.kill('SIGTERM');
    const fourth = await first.beside();
    await until(async () => (await queue.getJobScheduler('sweep'))?.every === EVERY_MS, 'the schedule of ours');
    await fourth.kill('SIGTERM');
  });
});
