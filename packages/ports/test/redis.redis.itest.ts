import { testRedis, type TestRedis } from '@patchbay/testkit';
import type { Redis } from 'ioredis';
import type { OrganisationId, PartHash, Revision, TokenHash } from '@patchbay/contracts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createRedisPorts, type Ports } from '../src/index.ts';
import { describePorts } from './support/describe-ports.ts';
import { adminOf, cutListenersOf } from './support/redis.ts';

let redis: TestRedis;
let admin: Redis;
let writer: Ports;
let reader: Ports;

beforeAll(async () => {
  redis = await testRedis();
  admin = adminOf(redis.url);
  writer = createRedisPorts({ url: redis.url });
  reader = createRedisPorts({ url: redis.url });
});

afterAll(async () => {
  await Promise.all([writer?.close(), reader?.close()]);
  admin?.disconnect();
  await redis?.stop();
  process.stdout.write('port contracts ran on: Redis\n');
});

describePorts('Redis', { writer: () => writer, reader: () => reader, cutListeners: () => cutListenersOf(admin) });

test('whatever somebody else left under our keys is no manifest and no entry, and does not keep us from writing', async () => {
  const organisationId = '7f3c1f5e-0000-4000-8000-00000000000a' as OrganisationId;
  const hash = 'a'.repeat(64);
  const at = { epoch: 1, revision: 5 as Revision };
  const { directory, parts } = writer;
  const write = async (): Promise<void> => {
    await parts.putParts(organisationId, [{ hash: hash as PartHash, bytes: Buffer.from('part') }]);
    await parts.missing(organisationId, [hash as PartHash]);
    await parts.putManifest(organisationId, at, 'manifest');
    await directory.putTokens(organisationId, at.revision, [{ tokenHash: hash as TokenHash, jws: 'entry' }]);
    await parts.collectGarbage(organisationId, [hash as PartHash], 60_000);
  };
  await write();
  const keys = await admin.keys(`*${organisationId}*`);
  expect(keys).toHaveLength(5);
  for (const leave of [
    (key: string) => admin.rpush(key, 'x'),
    (key: string) => admin.set(key, 'no number'),
    (key: string) => admin.hset(key, { epoch: 'x', revision: 'x' }),
  ]) {
    for (const key of keys) {
      await admin.del(key);
      await leave(key);
    }
    expect(await parts.getPositions([organisationId])).toEqual(new Map());
    await parts.getManifest(organisationId);
    await write();
    expect(await parts.getManifest(organisationId)).toBe('manifest');
    expect(await parts.getPositions([organisationId])).toEqual(new Map([[organisationId, at]]));
    expect((await parts.getParts(organisationId, [hash as PartHash])).get(hash as PartHash)?.toString()).toBe('part');
    expect(await directory.getToken(organisationId, hash as TokenHash)).toEqual({ entry: 'entry', revision: at.revision });
  }
});
