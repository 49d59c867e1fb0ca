import { testRedis, type TestRedis } from '@patchbay/testkit';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll } from 'vitest';
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
