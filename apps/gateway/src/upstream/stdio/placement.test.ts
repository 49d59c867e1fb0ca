import { OrganisationId, ServerId } from '@patchbay/contracts';
import { createKeyring } from '@patchbay/vault';
import type { Dispatcher } from 'undici';
import { afterEach, describe, expect, it } from 'vitest';
import { type StdioHost, StdioHosts } from './hosts.ts';
import { Placement, type Placed } from './placement.ts';

const ORGANISATION = OrganisationId.parse('6f5c1a52-0c8e-4a35-9d0f-6f5a2f3b7c01');
const SERVER = ServerId.parse('6f5c1a52-0c8e-4a35-9d0f-6f5a2f3b7c12');
const KEY = `stdio-host/${SERVER}/g1`;
const KEYRING = createKeyring([Buffer.alloc(32, 1)]);
const SHARED: Placed = { organisationId: ORGANISATION, server: { id: SERVER, slug: 'one', generation: 'g1', isolation: 'shared' } };
const EACH: Placed = { ...SHARED, server: { ...SHARED.server, isolation: 'session' } };
const NONE: ReadonlySet<unknown> = new Set();

const opened: StdioHosts[] = [];
afterEach(() => {
  for (const hosts of opened.splice(0)) hosts.close();
});

class Store {
  readonly values = new Map<string, string>();
  isAway = false;
  calls = 0;

  async get(_: string, key: string): Promise<string | null> {
    this.#ask();
    return this.values.get(key) ?? null;
  }

  async setIfAbsent(_: string, key: string, value: string): Promise<string> {
    this.#ask();
    if (!this.values.has(key)) this.values.set(key, value);
    return this.values.get(key) ?? value;
  }

  async compareAndSet(_: string, key: string, expected: string, value: string): Promise<string | null> {
    this.#ask();
    if (this.values.get(key) === expected) this.values.set(key, value);
    return this.values.get(key) ?? null;
  }

  #ask(): void {
    this.calls += 1;
    if (this.isAway) throw new Error('away');
  }
}

/** A gateway with its own beliefs over one store. */
function pod(store: Store, { names = ['a', 'b', 'c'], renewEveryMs = 0, probeEveryMs = 10, probe = async () => true, nowMs = 0 } = {}) {
  const counted = { moved: 0, ignored: 0, ended: [] as string[], warned: [] as string[] };
  const logger = { info: () => undefined, warn: (_: object, message: string) => counted.warned.push(message) };
  const all = names.map((name): StdioHost => ({ id: `id-${name}`, name, basePath: '', pool: {} as Dispatcher, streams: {} as Dispatcher }));
  const hosts = new StdioHosts({ hosts: all, probe, logger, probeEveryMs });
  opened.push(hosts);
  const placement = new Placement({
    hosts,
    store,
    keyring: KEYRING,
    clock: { nowMs: () => nowMs },
    endOn: async ({ name }) => void counted.ended.push(name),
    counters: { moves: { inc: () => (counted.moved += 1) }, recordsIgnored: { inc: () => (counted.ignored += 1) } },
    logger,
    renewEveryMs,
  });
  const place = async (placed = SHARED, owner = '', tried = NONE): Promise<StdioHost> => {
    const host = await placement.next(placed, owner, tried);
    if (host === null) throw new Error('no host is left');
    return host;
  };
  return { counted, hosts, place, placement };
}

const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

describe('a shared server', () => {
  it('is where the first that used it put it, for every pod, and warm use asks nobody', async () => {
    const store = new Store();
    const pods = [pod(store), pod(store), pod(store)];
    const hosts = await Promise.all(pods.map(({ place }) => place()));
    expect(new Set(hosts.map(({ name }) => name)).size).toBe(1);
    const quiet = pod(store, { renewEveryMs: 60_000 });
    const host = await quiet.place();
    const { calls } = store;
    for (let use = 0; use < 10; use += 1) expect(quiet.placement.holds(SHARED, host)).toBe(true);
    expect([await quiet.place(), store.calls]).toEqual([host, calls]);
  });

  it('moves off a host that cannot be used, once, and other pods follow when they renew', async () => {
    const store = new Store();
    const [one, two] = [pod(store), pod(store)];
    const [first, same] = await Promise.all([one.place(), two.place()]);
    expect(same.name).toBe(first.name);
    one.hosts.giveUp(first, 'test');
    const second = await one.place();
    expect(second.name).not.toBe(first.name);
    expect(two.placement.holds(SHARED, same)).toBe(true);
    await settled();
    expect(two.placement.holds(SHARED, same)).toBe(false);
    expect((await two.place()).name).toBe(second.name);
    expect([one.counted.moved, two.counted.moved]).toEqual([1, 0]);
  });

  it('has what it left behind ended when that host is back', async () => {
    const { counted, hosts, place } = pod(new Store());
    const first = await place();
    hosts.giveUp(first, 'test');
    await place();
    expect(counted.ended).toEqual([]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(hosts.isAlive(first)).toBe(true);
    expect(counted.ended).toEqual([first.name]);
  });

  it('goes back at once to a host that is back, before this pod has looked at it again, when there is no other', async () => {
    const { counted, hosts, place, placement } = pod(new Store(), { names: ['a', 'b'], probeEveryMs: 60_000 });
    const first = await place();
    hosts.giveUp(first, 'test');
    const second = await place();
    hosts.giveUp(second, 'test');
    expect(await place(SHARED, '', new Set([second.id]))).toBe(first);
    expect(placement.holds(SHARED, first)).toBe(true);
    // Before it is used again, not while it is.
    expect(counted.ended).toEqual([first.name]);
  });

  it('is nowhere when no host answers', async () => {
    const { hosts, placement } = pod(new Store(), { names: ['a', 'b'], probeEveryMs: 60_000, probe: async () => false });
    for (const host of hosts.all) hosts.giveUp(host, 'test');
    expect(await placement.next(SHARED, '', NONE)).toBeNull();
    expect(await placement.next(EACH, 's/1', NONE)).toBeNull();
  });

  it('is not ended where another pod has moved it back to', async () => {
    const store = new Store();
    const [one, two] = [pod(store, { names: ['a', 'b'], probeEveryMs: 60_000, renewEveryMs: 60_000 }), pod(store, { names: ['a', 'b'] })];
    const first = await one.place();
    one.hosts.giveUp(first, 'test');
    const second = await one.place();
    const same = await two.place();
    expect(same.name).toBe(second.name);
    two.hosts.giveUp(same, 'test');
    expect((await two.place()).name).toBe(first.name);
    expect(await one.hosts.isBack(first)).toBe(true);
    expect(one.counted.ended).toEqual([]);
  });

  it('is followed to a host that another pod found back sooner, not moved away from it', async () => {
    const store = new Store();
    const [one, two] = [pod(store, { names: ['a', 'b'], probeEveryMs: 60_000 }), pod(store, { names: ['a', 'b'] })];
    const first = await one.place();
    one.hosts.giveUp(first, 'test');
    const second = await one.place();
    two.hosts.giveUp(await two.place(), 'test');
    const standing = (await two.place()).name;
    expect(standing).toBe(first.name);
    one.placement.holds(SHARED, second);
    await settled();
    expect([one.placement.holds(SHARED, first), one.placement.holds(SHARED, second)]).toEqual([true, false]);
    expect([one.counted.moved, two.counted.moved]).toEqual([1, 1]);
  });

  it('stays where it is whatever is written over its record: forged, of an unlisted host, or put back from before', async () => {
    const store = new Store();
    const one = pod(store);
    const first = await one.place();
    const old = store.values.get(KEY) ?? '';
    one.hosts.giveUp(first, 'test');
    const second = await one.place();
    await pod(store, { names: ['x'] }).place();
    const elsewhere = new Store();
    await pod(elsewhere, { names: ['x', 'y'] }).place();
    for (const [index, written] of ['forged', `["${first.id}",99]`, old, elsewhere.values.get(KEY) ?? ''].entries()) {
      store.values.set(KEY, written);
      one.placement.holds(SHARED, second);
      await settled();
      expect(one.placement.holds(SHARED, second)).toBe(true);
      await settled();
      expect(one.counted.ignored).toBe(index + 1);
      expect((await pod(store).place()).name).toBe(second.name);
    }
  });

  it('stays where it is when its record of before the store lost its data is put back to a gateway that knows nothing', async () => {
    const store = new Store();
    const before = pod(store, { nowMs: 1_000 });
    for (let moves = 0; moves < 2; moves += 1) before.hosts.giveUp(await before.place(), 'test');
    const left = await before.place();
    const old = store.values.get(KEY) ?? '';
    store.values.clear();
    const now = await pod(store, { nowMs: 2_000 }).place();
    expect(now.name).not.toBe(left.name);
    const started = pod(store, { nowMs: 3_000 });
    const here = await started.place();
    expect(here.name).toBe(now.name);
    store.values.set(KEY, old);
    started.placement.holds(SHARED, here);
    await settled();
    expect(started.placement.holds(SHARED, here)).toBe(true);
    expect((await pod(store).place()).name).toBe(now.name);
  });

  // Two gateways whose store lost its data between them at one moment.
  it('stays where it is when a record as new as its own, of another host, is put back', async () => {
    const store = new Store();
    const one = pod(store);
    const first = await one.place();
    const elsewhere = new Store();
    const earlier = pod(elsewhere);
    earlier.hosts.giveUp(first, 'test');
    expect((await earlier.place()).name).not.toBe(first.name);
    store.values.set(KEY, elsewhere.values.get(KEY) ?? '');
    one.placement.holds(SHARED, first);
    await settled();
    expect(one.placement.holds(SHARED, first)).toBe(true);
    expect(one.counted.ignored).toBe(1);
    expect((await pod(store).place()).name).toBe(first.name);
  });

  it('is found by hashing alone without the store, which is said once, and recorded when the store is back', async () => {
    const store = new Store();
    store.isAway = true;
    const [one, two] = [pod(store), pod(store)];
    const host = await one.place();
    expect((await two.place()).name).toBe(host.name);
    one.placement.holds(SHARED, host);
    await settled();
    expect(one.counted.warned).toEqual(['the shared store is away: stdio hosts are chosen by hashing alone']);
    store.isAway = false;
    one.placement.holds(SHARED, host);
    await settled();
    expect(store.values.has(KEY)).toBe(true);
  });
});

describe('a server with a process for each session', () => {
  it('uses all hosts, the same one for the same session on every pod, and records nothing', async () => {
    const store = new Store();
    const [one, two] = [pod(store), pod(store)];
    const owners = Array.from({ length: 60 }, (_, index) => `s/${index}`);
    const names = await Promise.all(owners.map(async (owner) => (await one.place(EACH, owner)).name));
    expect(await Promise.all(owners.map(async (owner) => (await two.place(EACH, owner)).name))).toEqual(names);
    expect(new Set(names)).toEqual(new Set(['a', 'b', 'c']));
    expect(store.calls).toBe(0);
  });

  it('goes to the next host when one has no room, and to none when all were tried', async () => {
    const { place, placement } = pod(new Store());
    const first = await place(EACH, 's/1');
    const second = await place(EACH, 's/1', new Set([first.id]));
    expect(second.name).not.toBe(first.name);
    expect(placement.next(EACH, 's/1', new Set(['id-a', 'id-b', 'id-c']))).toBeNull();
  });
});

it('a single host is never given up, and nothing about it is recorded', async () => {
  const store = new Store();
  const { hosts, place, placement } = pod(store, { names: ['only'] });
  const only = await place();
  expect(hosts.giveUp(only, 'test')).toBe(false);
  expect([hosts.isAlive(only), placement.holds(SHARED, only), store.calls]).toEqual([true, true, 0]);
});
