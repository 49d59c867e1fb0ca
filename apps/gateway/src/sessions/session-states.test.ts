import { randomUUID } from 'node:crypto';
import { OrganisationId, ServerId, UserId } from '@patchbay/contracts';
import { createKeyring } from '@patchbay/vault';
import { describe, expect, it } from 'vitest';
import { memoryBus, memoryStore } from '../mailbox/memory-ports.fixture.ts';
import type { ClientSession } from './client-session.ts';
import { makeSessionStates, type SessionState, type SessionStates, UNCHANGED } from './session-states.ts';
import { subscriptionEdit } from './subscriptions.ts';

const SESSION: ClientSession = {
  organisationId: OrganisationId.parse(randomUUID()),
  serverId: null,
  userId: UserId.parse(randomUUID()),
  key: 'session-key',
  protocolVersion: '2025-11-25',
  capabilities: '{}',
  clientInfo: null,
  expiresAtMs: 30 * 24 * 3_600_000,
  upstreamSessionId: null,
  upstreamInstance: null,
};
const toLevel =
  (level: string) =>
  (state: SessionState): SessionState => ({ ...state, level });

type Fleet = {
  readonly pods: SessionStates[];
  readonly store: ReturnType<typeof memoryStore>;
  readonly bus: ReturnType<typeof memoryBus>;
  reads(): number;
};

async function fleetOf(count: number, silent = 0): Promise<Fleet> {
  const [store, bus] = [memoryStore(), memoryBus()];
  let reads = 0;
  const counted = {
    ...store,
    get: (organisationId: OrganisationId, key: string) => {
      reads += 1;
      return store.get(organisationId, key);
    },
  };
  const deps = { bus, keyring: createKeyring([Buffer.alloc(32, 1)]), clock: { nowMs: () => 0 }, logger: { warn: () => undefined } };
  const pods = Array.from({ length: count }, () => makeSessionStates({ ...deps, store: counted, pods: () => count + silent }));
  await Promise.all(pods.map((pod) => pod.listen()));
  return { pods, store, bus, reads: () => reads };
}

describe('what a client changed in its session', () => {
  it('is known to every pod when the change is answered, also where it was known otherwise', async () => {
    const { pods } = await fleetOf(3);
    const [first, second, third] = pods;
    expect(await second?.current(SESSION)).toEqual(UNCHANGED);
    expect(await first?.change(SESSION, toLevel('error'))).toBe(true);
    expect(await second?.current(SESSION)).toMatchObject({ level: 'error' });
    await third?.change(SESSION, toLevel('debug'));
    expect(await Promise.all(pods.map(async (pod) => pod.current(SESSION)))).toEqual(
      pods.map(() => ({ level: 'debug', subscriptions: [], servers: [] })),
    );
  });

  it('has been heard by every pod when that is waited for; one that says nothing is waited for a second', async () => {
    const [all] = (await fleetOf(3)).pods;
    const [some] = (await fleetOf(2, 1)).pods;
    const beganAt = performance.now();
    await all?.heard(SESSION);
    const heardAt = performance.now();
    expect(heardAt - beganAt).toBeLessThan(500);
    await some?.heard(SESSION);
    expect(performance.now() - heardAt).toBeGreaterThan(900);
  });

  it('is read from the store once a pod, and then without waiting', async () => {
    const { pods, reads } = await fleetOf(2);
    await pods[0]?.change(SESSION, toLevel('error'));
    const before = reads();
    await Promise.all([pods[1]?.current(SESSION), pods[1]?.current(SESSION)]);
    expect(pods[1]?.current(SESSION)).toMatchObject({ level: 'error' });
    expect(pods[0]?.current(SESSION)).toMatchObject({ level: 'error' });
    expect(reads() - before).toBe(1);
  });

  it('loses nothing when pods change it at once', async () => {
    const { pods } = await fleetOf(3);
    const serverId = ServerId.parse(randomUUID());
    const edits = Array.from({ length: 9 }, (_, index) =>
      subscriptionEdit('resources/subscribe', { serverId, uri: `note://${index}`, spelled: '' }),
    );
    await Promise.all(edits.map(async (edit, index) => pods[index % 3]?.change(SESSION, edit ?? toLevel('never'))));
    const state = await pods[0]?.current(SESSION);
    expect(state?.subscriptions.map(({ uri }) => uri).toSorted()).toEqual(edits.map((_, index) => `note://${index}`));
  });

  it('is answered a second later where a pod is counted and not heard', async () => {
    const { pods } = await fleetOf(1, 1);
    const beganAtMs = performance.now();
    expect(await pods[0]?.change(SESSION, toLevel('error'))).toBe(true);
    const tookMs = performance.now() - beganAtMs;
    expect(tookMs).toBeGreaterThan(900);
    expect(pods[0]?.current(SESSION)).toMatchObject({ level: 'error' });
  });

  it('is read again after messages may have been missed', async () => {
    const { bus, pods, reads } = await fleetOf(1);
    await pods[0]?.change(SESSION, toLevel('error'));
    bus.gap();
    const before = reads();
    expect(await pods[0]?.current(SESSION)).toMatchObject({ level: 'error' });
    expect(reads() - before).toBe(1);
  });

  it('belongs to its session: another record in its place says nothing', async () => {
    const { pods, store } = await fleetOf(1);
    await pods[0]?.change(SESSION, toLevel('error'));
    const other = { ...SESSION, key: 'other-key' };
    for (const [key, value] of store.values) store.values.set(key.replace('session-key', 'other-key'), value);
    expect(await pods[0]?.current(other)).toEqual(UNCHANGED);
  });

  it('is not recorded while the store is away, and says so', async () => {
    const { pods, store } = await fleetOf(1);
    store.get = () => Promise.reject(new Error('away'));
    const broken = makeSessionStates({
      bus: memoryBus(),
      keyring: createKeyring([Buffer.alloc(32, 1)]),
      clock: { nowMs: () => 0 },
      logger: { warn: () => undefined },
      store,
      pods: () => 1,
    });
    expect(await broken.change(SESSION, toLevel('error'))).toBe(false);
    expect(await broken.current(SESSION)).toEqual(UNCHANGED);
    expect(await pods[0]?.current(SESSION)).toEqual(UNCHANGED);
  });
});

describe('subscriptions', () => {
  it('are one for each server and URI, and of too many the oldest go', () => {
    const [one, two] = [ServerId.parse(randomUUID()), ServerId.parse(randomUUID())];
    const apply = (state: SessionState, method: string, serverId: ServerId, uri: string): SessionState =>
      subscriptionEdit(method, { serverId, uri, spelled: uri })?.(state) ?? state;
    let state = apply(
      apply(apply(UNCHANGED, 'resources/subscribe', one, 'a'), 'resources/subscribe', two, 'a'),
      'resources/subscribe',
      one,
      'a',
    );
    expect(state.subscriptions).toHaveLength(2);
    state = apply(state, 'resources/unsubscribe', two, 'a');
    expect(state.subscriptions).toEqual([{ serverId: one, uri: 'a', spelled: 'a' }]);
    for (let index = 0; index < 1_000; index += 1) state = apply(state, 'resources/subscribe', one, `n${index}`);
    expect(state.subscriptions).toHaveLength(1_000);
    expect(state.subscriptions.some(({ uri }) => uri === 'a')).toBe(false);
    expect(subscriptionEdit('tools/call', { serverId: one, uri: 'a', spelled: 'a' })).toBeNull();
  });
});
