import { inspect } from 'node:util';
import type { OrganisationId, Revision } from '@patchbay/contracts';
import { testRedisServer, type TestRedisServer } from '@patchbay/testkit';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { freshId } from '../src/contract/make.ts';
import { createRedisPorts, type Ports } from '../src/index.ts';
import { adminOf } from './support/redis.ts';

const MINUTE = 60_000;
/** What a call may take when Redis hangs, on a busy machine; the bound itself is 1.5 s. */
const HANGING_MS = 2_500;
const manifestAt = { epoch: 1, revision: 1 as Revision };

async function start(options?: Parameters<typeof testRedisServer>[0]): Promise<TestRedisServer> {
  const server = await testRedisServer(options);
  onTestFinished(() => server.stop());
  return server;
}

function portsOn(url: string): { ports: Ports; errors: unknown[] } {
  const errors: unknown[] = [];
  const ports = createRedisPorts({ url, onError: (error) => errors.push(error) });
  onTestFinished(() => ports.close());
  return { ports, errors };
}

async function listen(ports: Ports): Promise<{ messages: string[]; gaps: number }> {
  const heard = { messages: [] as string[], gaps: 0 };
  await ports.bus.subscribe('revisions', { onMessage: (message) => heard.messages.push(message), onGap: () => (heard.gaps += 1) });
  return heard;
}

/** One call of each port; how long until the last of them has rejected. */
async function allReject(ports: Ports): Promise<number> {
  const startedAt = performance.now();
  const organisation = freshId<OrganisationId>();
  const calls = [
    ports.parts.getManifest(organisation),
    ports.directory.getOrganisation('acme'),
    ports.sharedStore.setIfAbsent(organisation, 'key', 'value', MINUTE),
    ports.bus.publish('revisions', 'lost'),
    ports.parts.getPositions([organisation]),
  ];
  for (const { status } of await Promise.allSettled(calls)) expect(status).toBe('rejected');
  return performance.now() - startedAt;
}

describe('a Redis that is away', () => {
  test('from the start: the bus can be subscribed to, calls reject at once, and all of it works when Redis comes', async () => {
    const server = await start();
    await server.kill();
    const { ports, errors } = portsOn(server.url);
    const heard = await listen(ports);
    expect(heard.gaps).toBe(0);
    expect(await allReject(ports)).toBeLessThan(500);
    await expect(ports.parts.getManifest(freshId())).rejects.toThrow(/Redis cannot be reached.*ECONNREFUSED/);
    expect(errors.length).toBeGreaterThan(0);
    await server.start();
    await vi.waitFor(() => expect(heard.gaps).toBe(1), 5_000);
    await vi.waitFor(async () => expect(await ports.directory.getOrganisation('acme')).toBeNull(), 5_000);
    await ports.bus.publish('revisions', 'back');
    await vi.waitFor(() => expect(heard.messages).toEqual(['back']));
  });

  test('killed: calls reject at once, none is sent later, and the bus says that it may have missed something', async () => {
    const server = await start({ persistent: true });
    const { ports } = portsOn(server.url);
    const organisation = freshId<OrganisationId>();
    const heard = await listen(ports);
    await ports.parts.putManifest(organisation, manifestAt, 'kept');
    expect(ports.bus.isListening()).toBe(true);
    await server.kill();
    await vi.waitFor(() => expect(ports.bus.isListening()).toBe(false));
    await expect(ports.parts.putManifest(organisation, { epoch: 9, revision: 9 as Revision }, 'never sent')).rejects.toThrow(/Redis/);
    expect(await allReject(ports)).toBeLessThan(500);
    await server.start();
    await vi.waitFor(() => expect(heard.gaps).toBe(2), 5_000);
    await vi.waitFor(async () => expect(await ports.parts.getManifest(organisation)).toBe('kept'), 5_000);
  });

  test('hanging: calls reject within their bound, soon at once, and work again afterwards without being told', async () => {
    const server = await start();
    const { ports } = portsOn(server.url);
    expect(await ports.directory.getOrganisation('acme')).toBeNull();
    server.pause();
    const first = await allReject(ports);
    expect(first).toBeGreaterThan(1_000);
    expect(first).toBeLessThan(HANGING_MS);
    // The connection is given up after 3 s without a word; from then on nobody waits for an answer.
    await vi.waitFor(async () => expect(await allReject(ports)).toBeLessThan(200), 20_000);
    server.resume();
    await vi.waitFor(async () => expect(await ports.directory.getOrganisation('acme')).toBeNull(), 10_000);
  });

  test('hanging without a word: the bus finds out by itself and comes back', async () => {
    const server = await start();
    const { ports, errors } = portsOn(server.url);
    const heard = await listen(ports);
    server.pause();
    await vi.waitFor(() => expect(errors.length).toBeGreaterThan(0), 12_000);
    server.resume();
    await vi.waitFor(() => expect(heard.gaps).toBeGreaterThan(1), 10_000);
    await vi.waitFor(async () => ports.bus.publish('revisions', 'again'), 5_000);
    await vi.waitFor(() => expect(heard.messages).toContain('again'));
  });
});

describe('a Redis that lost its data', () => {
  test('is seen to stand behind, after it came back empty and after it was emptied', async () => {
    const server = await start();
    const { ports } = portsOn(server.url);
    const [one, two] = [freshId<OrganisationId>(), freshId<OrganisationId>()];
    const stored = async () => [...(await ports.parts.getPositions([one, two])).keys()];
    await ports.parts.putManifest(one, manifestAt, 'm');
    expect(await stored()).toEqual([one]);
    await server.kill();
    await server.start({ withoutData: true });
    await vi.waitFor(async () => expect(await stored()).toEqual([]), 5_000);
    await ports.parts.putManifest(one, manifestAt, 'm');
    const admin = adminOf(server.url);
    onTestFinished(() => admin.disconnect());
    await admin.flushall();
    // Something is published meanwhile: what else was lost is seen all the same.
    await ports.parts.putManifest(two, manifestAt, 'm');
    expect(await stored()).toEqual([two]);
  });

  test('runs scripts that it has forgotten', async () => {
    const server = await start();
    const { ports } = portsOn(server.url);
    const organisation = freshId<OrganisationId>();
    await ports.parts.putManifest(organisation, manifestAt, 'first');
    const admin = adminOf(server.url);
    onTestFinished(() => admin.disconnect());
    await admin.script('FLUSH');
    await ports.parts.putManifest(organisation, { epoch: 1, revision: 2 as Revision }, 'second');
    expect(await ports.parts.getManifest(organisation)).toBe('second');
  });
});

test('no error repeats the password or what was written', async () => {
  const server = await start();
  const wrong = portsOn(server.url.replace(server.password, 'not-the-password'));
  await expect(wrong.ports.directory.getOrganisation('acme')).rejects.toThrow(/WRONGPASS/);
  await listen(wrong.ports);
  const admin = adminOf(server.url);
  onTestFinished(() => admin.disconnect());
  const { ports, errors } = portsOn(server.url);
  await ports.directory.getOrganisation('acme');
  await admin.call('ACL', 'SETUSER', 'default', '-set');
  const refused: unknown = await ports.sharedStore.set(freshId(), 'key', 'a sealed record', MINUTE).catch((error: unknown) => error);
  expect(String(refused)).toMatch(/NOPERM/);
  const told = inspect([wrong.errors, errors, refused], { depth: 10, showHidden: true });
  expect(told).toContain('WRONGPASS');
  expect(told).not.toMatch(/not-the-password|a sealed record/);
});
