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

test('a control plane puts back what somebody with a plain client wrote over it', { timeout: 120_000 }, async () => {
  const server = await testRedisServer();
  onTestFinished(() => server.stop());
  const attacker = new Redis(server.url);
  onTestFinished(() => attacker.disconnect());
  const installation = await Installation.start({ [ENV.redisUrl]: server.url });
  onTestFinished(() => installation.stop());
  const ports = createRedisPorts({ url: server.url });
  onTestFinished(() => ports.close());
  const { organisationId } = (await installation.internal('/internal/v1/revisions')).body.organisations[0];
  const manifestKey = `patchbay:{${organisationId}}:manifest`;
  const slugKey = 'patchbay:slug:{default}';
  const genuine = await attacker.hgetall(manifestKey);
  const partKeys = (await attacker.keys(`patchbay:{${organisationId}}:part:*`)).sort();
  expect(partKeys.length).toBeGreaterThan(0);
  const valuesOf = (keys: string[]): Promise<(string | null)[]> => Promise.all(keys.map((key) => attacker.get(key)));
  const parts = await valuesOf(partKeys);
  const payload = (jws: string | undefined): string | undefined => jws?.split('.')[1];
  const said = (jws: string | undefined): object => JSON.parse(Buffer.from(payload(jws) ?? '', 'base64url').toString()) as object;
  const attacks: Record<string, () => Promise<unknown>> = {
    'another type': () => attacker.multi().del(manifestKey).rpush(manifestKey, 'x').exec(),
    'a revision that none of ours reaches': () => attacker.hset(manifestKey, { epoch: '999999', revision: '9007199254740991', jws: 'x' }),
    'garbage where the position is right': () => attacker.hset(manifestKey, 'jws', 'a.b.c'),
    'a signature that is not ours': () => attacker.hset(manifestKey, 'jws', `${genuine['jws']?.slice(0, -8)}AAAAAAAA`),
    'garbage for every part': () => Promise.all(partKeys.map((key) => attacker.set(key, 'garbage'))),
    'garbage for every part and for the manifest': () => Promise.all([...partKeys, manifestKey].map((key) => attacker.set(key, 'garbage'))),
    'another type for every part': () => Promise.all(partKeys.map((key) => attacker.multi().del(key).rpush(key, 'x').exec())),
    'no part at all': () => attacker.del(...partKeys),
    'garbage for the organisation': () => attacker.set(slugKey, 'garbage'),
    'another type for the organisation': () => attacker.multi().del(slugKey).rpush(slugKey, 'x').exec(),
  };
  for (const [what, attack] of Object.entries(attacks)) {
    const startedAt = performance.now();
    await attack();
    await until(async () => {
      const stored: Record<string, string> = await attacker.hgetall(manifestKey).catch(() => ({}));
      const { jws, epoch, revision } = stored;
      if (epoch !== genuine['epoch'] || revision !== genuine['revision'] || (jws?.length ?? 0) < 100) return false;
      const same = { ...said(jws), issuedAtMs: 0 };
      if (jws?.endsWith('AAAAAAAA') === true || JSON.stringify(same) !== JSON.stringify({ ...said(genuine['jws']), issuedAtMs: 0 }))
        return false;
      if ((await attacker.get(slugKey).catch(() => 'garbage')) === 'garbage') return false;
      return JSON.stringify(await valuesOf(partKeys).catch(() => [])) === JSON.stringify(parts);
    }, `the stores to be healed of ${what}`);
    process.stdout.write(`healed of ${what}: ${Math.round(performance.now() - startedAt)} ms\n`);
  }
});

test('a control plane refuses a Redis that may evict keys, and says what to do', { timeout: 60_000 }, async () => {
  const server = await testRedisServer({ settings: { 'maxmemory-policy': ['allkeys-lru'] } });
  onTestFinished(() => server.stop());
  const started = Installation.start({ [ENV.redisUrl]: server.url });
  await expect(started).rejects.toThrow(/Set maxmemory-policy noeviction/);
});
