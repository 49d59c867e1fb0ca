import type { OrganisationId, PartHash, Revision, TokenHash } from '@patchbay/contracts';
import { testRedisSentinel, type TestRedisSentinel } from '@patchbay/testkit';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { freshId } from '../src/contract/make.ts';
import { checkRedis, createRedisPorts, type Ports } from '../src/index.ts';
import { adminOf } from './support/redis.ts';

const MINUTE = 60_000;
/** Of what one test may take: 500 ms until the master counts as failed, an election of one, and the clients' way back. */
const FAILOVER_MS = 15_000;
const HASH = 'a'.repeat(64);
const at = { epoch: 1, revision: 7 as Revision };
const windows = [{ windowMs: MINUTE, max: 10 }];

let redis: TestRedisSentinel;
let ports: Ports;
const errors: unknown[] = [];

beforeAll(async () => {
  redis = await testRedisSentinel();
  ports = createRedisPorts({ url: redis.url, onError: (error) => errors.push(error) });
});

afterAll(async () => {
  await ports?.close();
  await redis?.stop();
});

async function write(organisation: OrganisationId): Promise<void> {
  await ports.parts.putParts(organisation, [{ hash: HASH as PartHash, bytes: Buffer.from('part') }]);
  await ports.parts.putManifest(organisation, at, 'manifest');
  await ports.directory.putTokens(organisation, at.revision, [{ tokenHash: HASH as TokenHash, jws: 'entry' }]);
  await ports.directory.putOrganisation(organisation, 'organisation');
  await ports.sharedStore.set(organisation, 'session', 'sealed', MINUTE);
}

async function expectWritten(organisation: OrganisationId): Promise<void> {
  expect((await ports.parts.getParts(organisation, [HASH as PartHash])).get(HASH as PartHash)?.toString()).toBe('part');
  expect(await ports.parts.getManifest(organisation)).toBe('manifest');
  expect(await ports.parts.getPositions([organisation])).toEqual(new Map([[organisation, at]]));
  expect(await ports.directory.getToken(organisation, HASH as TokenHash)).toEqual({ entry: 'entry', revision: at.revision });
  expect(await ports.directory.getOrganisation(organisation)).toBe('organisation');
  expect(await ports.sharedStore.get(organisation, 'session')).toBe('sealed');
}

/** How many permits the counter still gives of 10. */
async function take(organisation: OrganisationId, wanted: number): Promise<number> {
  return (await ports.counters.take(organisation, 'calls', { windows, wanted })).granted;
}

/** Until the replica has all that was written, and the sentinel knows of it: what a failover needs. */
async function untilFollowed(): Promise<void> {
  const master = adminOf(redis.master.url);
  const sentinel = adminOf(`redis://127.0.0.1:${redis.sentinelPort}`);
  try {
    await vi.waitFor(async () => expect(await master.wait(1, 500)).toBe(1), { timeout: FAILOVER_MS, interval: 100 });
    await vi.waitFor(async () => expect(await sentinel.call('SENTINEL', 'REPLICAS', 'mymaster')).toHaveLength(1), {
      timeout: FAILOVER_MS,
      interval: 100,
    });
  } finally {
    master.disconnect();
    sentinel.disconnect();
  }
}

test('the check at start follows the sentinel to the master', async () => {
  expect(await checkRedis(redis.url, 'control plane')).toBe('fit');
  expect(await checkRedis(redis.url.replace('mymaster', 'another'), 'gateway')).toBe('away');
  await expect(checkRedis(redis.url.replace(redis.master.password, 'hunter2'), 'gateway')).rejects.toThrow(/does not accept/);
});

test('the master is killed: all ports go on at the replica that takes over, with what was written, and the bus says that it may have missed something', async () => {
  const [before, after] = [freshId<OrganisationId>(), freshId<OrganisationId>()];
  const heard = { messages: [] as string[], gaps: 0 };
  await ports.bus.subscribe('revisions', { onMessage: (message) => heard.messages.push(message), onGap: () => (heard.gaps += 1) });
  expect(heard.gaps).toBe(1);
  await write(before);
  expect(await take(before, 4)).toBe(4);
  await untilFollowed();

  const killedAt = performance.now();
  await redis.master.kill();
  await vi.waitFor(() => write(after), { timeout: FAILOVER_MS, interval: 50 });
  process.stdout.write(`writes go on ${Math.round(performance.now() - killedAt)} ms after the master was killed\n`);
  await expectWritten(after);
  await expectWritten(before);
  expect(await take(before, 10)).toBe(6);

  await vi.waitFor(() => expect(heard.gaps).toBe(2), { timeout: FAILOVER_MS });
  await ports.bus.publish('revisions', 'on the new master');
  await vi.waitFor(() => expect(heard.messages).toEqual(['on the new master']), { timeout: 2_000 });
  expect(errors.length).toBeGreaterThan(0);
  expect(await checkRedis(redis.url, 'gateway')).toBe('fit');
});

test('the old master comes back as a replica, and nobody writes to it', async () => {
  const organisation = freshId<OrganisationId>();
  await redis.master.start();
  const old = adminOf(redis.master.url);
  try {
    await vi.waitFor(async () => expect(await old.info('replication')).toContain('role:slave'), { timeout: FAILOVER_MS, interval: 100 });
    await write(organisation);
    await expectWritten(organisation);
    await vi.waitFor(async () => expect(await old.info('replication')).toContain('master_link_status:up'), {
      timeout: FAILOVER_MS,
      interval: 100,
    });
  } finally {
    old.disconnect();
  }
});
