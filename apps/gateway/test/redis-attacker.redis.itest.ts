import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import type { ServerId } from '@patchbay/contracts';
import { createRedisPorts, type Ports } from '@patchbay/ports';
import { plainRedis, testRedis, type TestRedis } from '@patchbay/testkit';
import { startPod } from '../src/snapshot/pod.fixture.ts';
import { makeFleet, uuid, type FakeOrganisation, type FakeToken, type Fleet } from '../src/snapshot/state.fixture.ts';
import { publishTo } from './support/publish-to.ts';

// Somebody with a plain client and every right on Redis, and no key of ours. The control plane is away: nobody corrects what Redis says.

let redis: TestRedis;
let attacker: ReturnType<typeof plainRedis>;
let writer: Ports;
let fleet: Fleet;
let control: ReturnType<typeof publishTo>;
let acme: FakeOrganisation;
let other: FakeOrganisation;
let token: FakeToken;
let foreign: FakeToken;

beforeAll(async () => {
  redis = await testRedis();
  attacker = plainRedis(redis.url);
  writer = createRedisPorts({ url: redis.url });
});

afterAll(async () => {
  await writer?.close();
  attacker?.disconnect();
  await redis?.stop();
});

beforeEach(async () => {
  fleet = await makeFleet();
  control = publishTo(writer, fleet);
  [acme, other] = ['acme', 'other'].map((slug) => fleet.addOrganisation(`${slug}-${uuid<string>().slice(0, 8)}`)) as [
    FakeOrganisation,
    FakeOrganisation,
  ];
  acme.servers.push({ id: uuid<ServerId>(), slug: 'files', tools: ['read'] });
  other.servers.push({ id: uuid<ServerId>(), slug: 'shell', tools: ['run'] });
  [token, foreign] = [fleet.addToken(acme), fleet.addToken(other)];
  await control.publish(acme);
  await control.publish(other);
  fleet.away.controlPlane = true;
});

const manifestKey = ({ id }: FakeOrganisation): string => `patchbay:{${id}}:manifest`;
const tokenKey = ({ id }: FakeOrganisation, { hash }: FakeToken): string => `patchbay:{${id}}:token:${hash}`;
const slugKey = ({ slug }: FakeOrganisation): string => `patchbay:slug:{${slug}}`;
const channel = (): string => `patchbay:bus:${attacker.options.db ?? 0}:revisions`;
const keysOf = async ({ id, slug }: FakeOrganisation): Promise<string[]> => [
  ...(await attacker.keys(`*${id}*`)),
  `patchbay:slug:{${slug}}`,
];

async function boot(home?: string) {
  const ports = createRedisPorts({ url: redis.url });
  const pod = await startPod(fleet, home === undefined ? { ports } : { ports, home });
  let isStopped = false;
  const stop = async (): Promise<void> => {
    if (isStopped) return;
    isStopped = true;
    await pod.state.stop();
    await ports.close();
  };
  onTestFinished(stop);
  const { counters } = pod.state;
  const refusals = (): number => Object.values(counters.refused).reduce((sum, count) => sum + count, 0);
  /** What a call of this token may reach: names of tools, or the code that it ends with. */
  async function reach(text: string, organisation = acme): Promise<string[] | string> {
    const outcome = await pod.call(organisation.slug, text);
    return typeof outcome === 'string' ? outcome : [...(outcome.snapshot?.exposedTools.keys() ?? [])];
  }
  return { ...pod, stop, refusals, reach };
}

/** A pod that serves acme at its present revision. */
async function running() {
  const pod = await boot();
  expect(await pod.reach(token.text)).toEqual(['files_read']);
  return pod;
}

test('an older manifest, rightly signed, is a counted rollback to a running pod and to one that comes back', async () => {
  const older = (await attacker.hget(manifestKey(acme), 'jws')) ?? '';
  acme.servers.pop();
  await control.publish(acme);
  const pod = await boot();
  expect(await pod.reach(token.text)).toEqual([]);
  await attacker.hset(manifestKey(acme), { epoch: 9, revision: 999, jws: older });
  await pod.state.compare();
  expect(pod.state.counters.refused.rollback).toBe(1);
  expect(await pod.reach(token.text)).toEqual([]);
  await pod.stop();
  const restarted = await boot(pod.home);
  expect(await restarted.reach(token.text)).toEqual([]);
  expect(restarted.state.counters.refused.rollback).toBe(1);
});

test('an entry of before a revocation un-revokes nothing an hour later, whoever reads it', async () => {
  const pod = await running();
  const entry = (await attacker.hget(tokenKey(acme, token), 'jws')) ?? '';
  fleet.revoke(acme, token);
  await control.publish(acme);
  await vi.waitFor(() => expect(pod.state.snapshots.current(acme.slug)?.revision).toBe(2));
  fleet.clock.now += 3_600_000;
  // Long enough for the list of what was withdrawn lately to have forgotten it.
  acme.invalidations.length = 0;
  await control.publish(acme);
  await attacker.hset(tokenKey(acme, token), { revision: 1_000_000, jws: entry });
  await attacker.set(`patchbay:{${acme.id}}:directory`, '1000000');
  await pod.state.compare();
  expect(await pod.reach(token.text)).toBe('auth.invalid_token');
  expect(await (await boot()).reach(token.text)).toBe('auth.invalid_token');
  await pod.stop();
  expect(await (await boot(pod.home)).reach(token.text)).toBe('auth.invalid_token');
});

test("another organisation's manifest, organisation entry and token entry under our keys are refused and counted", async () => {
  const pod = await running();
  const fresh = await boot();
  await attacker.copy(manifestKey(other), manifestKey(acme), 'REPLACE');
  await pod.state.compare();
  expect(pod.state.counters.refused.other_organisation).toBe(1);
  expect(await pod.reach(token.text)).toEqual(['files_read']);
  expect(await fresh.reach(token.text)).toBe('auth.unavailable');
  expect(fresh.state.counters.refused.other_organisation).toBeGreaterThan(0);
  await control.store(acme);

  await attacker.copy(tokenKey(other, foreign), tokenKey(acme, foreign));
  const before = pod.refusals();
  expect(await pod.reach(foreign.text)).toBe('auth.unavailable');
  expect(pod.refusals()).toBe(before + 1);

  await attacker.copy(slugKey(other), slugKey(acme), 'REPLACE');
  const led = await boot();
  expect(await led.reach(foreign.text)).toBe('auth.unavailable');
  expect(led.refusals()).toBeGreaterThan(0);
});

test("another organisation's part, and any other bytes, under the hash of one of ours are refused and counted", async () => {
  const pod = await running();
  const theirs = (await attacker.keys(`patchbay:{${other.id}}:part:*`))[0] ?? '';
  for (const key of await attacker.keys(`patchbay:{${acme.id}}:part:*`)) await attacker.copy(theirs, key, 'REPLACE');
  const fresh = await boot();
  expect(await fresh.reach(token.text)).toBe('auth.unavailable');
  expect(fresh.state.counters.refused.part_hash).toBeGreaterThan(0);
  await pod.state.compare();
  expect(await pod.reach(token.text)).toEqual(['files_read']);
});

test.each([
  ['text', (key: string) => attacker.set(key, 'garbage')],
  ['a list', (key: string) => attacker.rpush(key, 'garbage')],
  ['a hash of garbage', (key: string) => attacker.hset(key, { epoch: 'x', revision: 'x', jws: 'a.b.c' })],
  ['nothing', async () => undefined],
])(
  '%s in place of every key changes nothing that is enforced, is 503 and never 401, and one more publishing heals it',
  async (_what, leave) => {
    const pod = await running();
    for (const key of await keysOf(acme)) {
      await attacker.del(key);
      await leave(key);
    }
    const fresh = await boot();
    for (const each of [token, fleet.addToken(acme)]) expect(await fresh.reach(each.text)).toBe('auth.unavailable');
    await pod.state.compare();
    expect(await pod.reach(token.text)).toEqual(['files_read']);
    expect(pod.state.snapshots.current(acme.slug)?.revision).toBe(1);
    // What can be read is counted as refused; what cannot, is as a store that is away.
    if (_what === 'text') expect(fresh.refusals()).toBeGreaterThan(0);
    if (_what === 'a hash of garbage') expect(pod.refusals()).toBeGreaterThan(0);
    await control.publish(acme);
    await vi.waitFor(() => expect(pod.state.snapshots.current(acme.slug)?.revision).toBe(2), { timeout: 5_000 });
    expect(await (await boot()).reach(token.text)).toEqual(['files_read']);
  },
);

test('forged announcements are counted and dropped, and an old one sent again changes nothing', async () => {
  const genuine = await control.announcement(acme);
  acme.servers.push({ id: uuid<ServerId>(), slug: 'mail', tools: ['send'] });
  await control.publish(acme);
  const pod = await boot();
  const now = ['files_read', 'mail_send'];
  expect(await pod.reach(token.text)).toEqual(now);
  const position = { organisationId: acme.id, epoch: 9, revision: 9, invalidations: [] };
  const forged = [
    'garbage',
    JSON.stringify(position),
    await (await makeFleet()).sign('announcement', position),
    await fleet.sign('tokenEntry', position),
    `${genuine.split('.').slice(0, 2).join('.')}.${'A'.repeat(86)}`,
    await fleet.sign('announcement', { ...position, revision: 'nine' }),
  ];
  for (const message of forged) await attacker.publish(channel(), message);
  await vi.waitFor(() => expect(pod.refusals()).toBe(forged.length));
  expect(pod.state.counters.announcements).toBe(0);
  await attacker.publish(channel(), genuine);
  await vi.waitFor(() => expect(pod.state.counters.announcements).toBe(1));
  expect(pod.state.status().organisations).toMatchObject([{ revision: 2, lagMs: 0 }]);
  expect(await pod.reach(token.text)).toEqual(now);
});
