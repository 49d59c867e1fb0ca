import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { ENV } from '@patchbay/contracts';
import { createRedisPorts } from '@patchbay/ports';
import { startModernUpstream, testRedisServer } from '@patchbay/testkit';
import { Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { Installation, until } from './support/installation.ts';

const USERS = readFileSync(resolve(import.meta.dirname, '../../../deploy/redis/users.acl'), 'utf8')
  .trim()
  .split('\n');

test('a control plane works as its recommended user of Redis, jobs included, and publishes again what Redis loses', {
  timeout: 120_000,
}, async () => {
  const server = await testRedisServer();
  onTestFinished(() => server.stop());
  const admin = new Redis(server.url);
  onTestFinished(() => admin.disconnect());
  const [, name = '', ...rules] = USERS.find((line) => line.includes('patchbay-control-plane'))?.split(' ') ?? [];
  await admin.call('ACL', 'SETUSER', name, ...rules, '>secret');
  const installation = await Installation.start({ [ENV.redisUrl]: `redis://${name}:secret@127.0.0.1:${server.port}/0` });
  onTestFinished(() => installation.stop());
  const upstream = await startModernUpstream();
  onTestFinished(() => upstream.close());
  await installation.api('POST', '/servers', { kind: 'streamable-http', slug: 'asked', url: upstream.url });
  await until(async () => (await installation.api('GET', '/servers/asked')).body.status === 'ready', 'the first discovery');
  const denied = ((await admin.call('ACL', 'LOG')) as unknown[]).length;
  expect(denied, 'commands that were refused').toBe(0);
  const ports = createRedisPorts({ url: server.url });
  onTestFinished(() => ports.close());
  const { organisationId } = (await installation.internal('/internal/v1/revisions')).body.organisations[0];
  expect(await ports.parts.getManifest(organisationId)).not.toBeNull();
  await admin.flushall();
  await until(async () => (await ports.parts.getManifest(organisationId)) !== null, 'the manifest');
  await until(async () => (await ports.directory.getOrganisation('default')) !== null, 'the directory');
});

test('a control plane refuses a Redis that may evict keys, and says what to do', { timeout: 60_000 }, async () => {
  const server = await testRedisServer({ settings: { 'maxmemory-policy': ['allkeys-lru'] } });
  onTestFinished(() => server.stop());
  const started = Installation.start({ [ENV.redisUrl]: server.url });
  await expect(started).rejects.toThrow(/Set maxmemory-policy noeviction/);
});
