import { testRedisServer, type TestRedisServer } from '@patchbay/testkit';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createRedisPorts, type Ports } from '../src/index.ts';
import { describePorts } from './support/describe-ports.ts';
import { adminOf, cutListenersOf } from './support/redis.ts';

// One node that has every slot: a command or a script that touched keys of two slots would be refused here as in a large cluster.
let server: TestRedisServer;
let admin: Redis;
let writer: Ports;
let reader: Ports;

beforeAll(async () => {
  server = await testRedisServer({ settings: { 'cluster-enabled': ['yes'] } });
  admin = adminOf(server.url);
  await admin.cluster('ADDSLOTSRANGE', 0, 16_383);
  await vi.waitFor(async () => expect(await admin.cluster('INFO')).toContain('cluster_state:ok'), 10_000);
  writer = createRedisPorts({ url: server.url });
  reader = createRedisPorts({ url: server.url });
});

afterAll(async () => {
  await Promise.all([writer?.close(), reader?.close()]);
  admin?.disconnect();
  await server?.stop();
  process.stdout.write('port contracts ran on: Redis in cluster mode\n');
});

test('this server refuses keys of two slots', async () => {
  await expect(admin.mget('patchbay:{a}:manifest', 'patchbay:{b}:manifest')).rejects.toThrow(/CROSSSLOT/);
});

describePorts('Redis in cluster mode', { writer: () => writer, reader: () => reader, cutListeners: () => cutListenersOf(admin) });
