import { ENV, INTERNAL_PATHS } from '@patchbay/contracts';
import { createRedisPorts, parseRedisUrl, type Ports } from '@patchbay/ports';
import { testRedisServer, type TestRedisServer } from '@patchbay/testkit';
import { hashToken } from '@patchbay/tokens';
import { createIORedisClient, Queue, RedisConnection, type RedisOptions } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Installation, until } from './support/installation.ts';

const EVERY_MS = 2_000;
const SWEEPS = 'patchbay_control_plane_job_duration_seconds_count';

RedisConnection.clientFactory = (options) => createIORedisClient(new Redis(options as never));

let redis: TestRedisServer;
let first: Installation;
let second: Installation;
let ports: Ports;
let queue: Queue;

beforeAll(async () => {
  redis = await testRedisServer();
  first = await Installation.start({ [ENV.redisUrl]: redis.url, [ENV.discoveryEveryMs]: String(EVERY_MS) });
  second = await first.beside();
  ports = createRedisPorts({ url: redis.url });
  queue = new Queue('patchbay', { connection: parseRedisUrl(redis.url) as RedisOptions, prefix: '{patchbay}' });
});

afterAll(async () => {
  await queue.close();
  await ports.close();
  await second.kill();
  await first.stop();
  await redis.stop();
});

const sweeps = async (): Promise<number> => (await first.metric(SWEEPS, 'kind="sweep"')) + (await second.metric(SWEEPS, 'kind="sweep"'));

test('a Redis that is flushed under two control planes gets everything back without anybody’s help, and jobs run on', async () => {
  const { organisationId } = (await first.internal(INTERNAL_PATHS.revisions)).body.organisations[0];
  const parts = async (): Promise<boolean> => {
    const jws = await ports.parts.getManifest(organisationId);
    if (jws === null) return false;
    const { parts: named } = JSON.parse(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString());
    const hashes = named.map(({ hash }: { hash: string }) => hash);
    return (await ports.parts.getParts(organisationId, hashes)).size === hashes.length;
  };
  const token = async (): Promise<unknown> => (await ports.directory.getToken(organisationId, hashToken(first.first.token))).entry;
  const schedules = async (): Promise<string[]> => (await queue.getJobSchedulers()).map(({ name }) => name).sort();
  await until(async () => (await schedules()).length === 2, 'the schedules');
  expect(await parts()).toBe(true);

  const connection = new Redis(redis.url);
  await connection.flushall();
  expect(await connection.dbsize()).toBe(0);
  connection.disconnect();

  await until(parts, 'the manifest and every part it names');
  await until(token, 'the token in the directory');
  expect(await ports.directory.getOrganisation('default')).not.toBeNull();
  await until(async () => (await schedules()).join() === 'maintain,sweep', 'the schedules');
  const before = await sweeps();
  await until(async () => (await sweeps()) >= before + 2, 'two sweeps');
});
