import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ENV, type Isolation } from '@patchbay/contracts';
import { hostIdOf } from '../src/upstream/stdio/hosts.ts';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type GatewaySpec, memoryStore, startGateway, type TestGateway } from './support/gateway.ts';
import { FIXTURE, type HostProcess, type Launches, MEMORY, startHostProcess, startLaunches } from './support/stdio-hosts.ts';

/** What a call may cost at most; a loaded machine takes longer to notice. */
const SOON_MS = 20_000;

let launches: Launches;
let hosts: HostProcess[];
let store: ReturnType<typeof memoryStore>;
const gateways: TestGateway[] = [];
const clients: { close(): Promise<void> }[] = [];

beforeEach(async () => {
  launches = await startLaunches();
  hosts = await Promise.all([startHostProcess(launches), startHostProcess(launches)]);
  store = memoryStore();
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close().catch(() => undefined)));
  await Promise.all(gateways.splice(0).map((gateway) => gateway.close()));
  await Promise.all(hosts.map((host) => host.dispose()));
  await launches.close();
});

type Server = GatewaySpec['servers'][number];

/** A server that the hosts know how to run, and the gateways how to reach. */
function register(slug: string, isolation: Isolation, tools: readonly string[] = ['place', 'count', 'hang']): Server {
  const id = randomUUID();
  launches.specs.set(id, {
    generation: 'g1',
    slug,
    command: 'node',
    args: [slug === 'memory' ? MEMORY : FIXTURE],
    // A server may write nowhere but to its own folder and its own /tmp.
    env: { MEMORY_FILE_PATH: `/tmp/${id}.jsonl` },
    isolation,
    dial: null,
    egress: { targets: [], openings: [] },
  });
  return { id, slug, url: null, era: 'legacy', tools, isolation, requestMs: 15_000 };
}

async function pod(...servers: Server[]): Promise<TestGateway> {
  const gateway = await startGateway({ servers, store, stdioHostUrls: hosts.map(({ url }) => url) });
  gateways.push(gateway);
  return gateway;
}

async function legacy(gateway: TestGateway, slug: string | null): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' });
  clients.push(client);
  await client.connect(new StreamableHTTPClientTransport(new URL(gateway.url(slug))));
  return client;
}

async function modern(gateway: TestGateway, slug: string): Promise<ModernClient> {
  const client = new ModernClient({ name: 'test', version: '1' }, { versionNegotiation: { mode: { pin: '2026-07-28' } } });
  clients.push(client);
  await client.connect(new ModernTransport(new URL(gateway.url(slug))));
  return client;
}

const textOf = (result: unknown): string => (result as { content: { text: string }[] }).content[0]?.text ?? '';

type Caller = { callTool(params: { name: string; arguments?: Record<string, unknown> }): Promise<unknown> };

async function text(client: Caller, name: string): Promise<string> {
  return textOf(await client.callTool({ name, arguments: {} }));
}

/** How many processes of all servers each host runs; null for one that does not answer. */
async function processes(): Promise<(number | null)[]> {
  return Promise.all(
    hosts.map(({ status }) =>
      Promise.race([
        status().then(
          ({ processes: all }) => all.filter(({ state }) => state === 'ready').length,
          () => null,
        ),
        new Promise<null>((resolve) => setTimeout(resolve, 1_000, null)),
      ]),
    ),
  );
}

/** The same, the idler first. */
async function evenly(): Promise<string> {
  return (await processes()).toSorted((a, b) => Number(a) - Number(b)).join(',');
}

/** The host that runs something, and the other. */
async function holder(): Promise<{ holding: HostProcess; other: HostProcess }> {
  const [first, second] = hosts;
  if (first === undefined || second === undefined) throw new Error('there are two hosts');
  return ((await processes())[0] ?? 0) > 0 ? { holding: first, other: second } : { holding: second, other: first };
}

/** Gone, and its connections seen to be: what is sent before that is in flight on it. */
async function kill(host: HostProcess | undefined): Promise<void> {
  host?.child.kill('SIGKILL');
  await once(host?.child ?? process, 'exit');
  await new Promise((resolve) => setTimeout(resolve, 100));
}

async function eventually<T>(what: string, look: () => Promise<T | null>): Promise<T> {
  const deadline = performance.now() + SOON_MS;
  for (;;) {
    const found = await look().catch(() => null);
    if (found !== null) return found;
    if (performance.now() > deadline) throw new Error(`never came true: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

test('sessions of a server with a process each spread over the hosts, and each stays on its own', async () => {
  const server = register('each', 'session');
  const [one, two] = [await pod(server), await pod(server)];
  const opened = await Promise.all(Array.from({ length: 12 }, (_, index) => legacy(index % 2 === 0 ? one : two, 'each')));
  for (const round of ['1', '2']) expect(await Promise.all(opened.map((client) => text(client, 'count')))).toEqual(opened.map(() => round));
  const running = await processes();
  expect(Math.min(...running.map(Number))).toBeGreaterThan(0);
  expect(running.reduce((sum: number, each) => sum + Number(each), 0)).toBe(12);
}, 60_000);

test('a shared server has exactly one process over all gateways and hosts, whoever comes first', async () => {
  const server = register('one', 'shared');
  const pods = await Promise.all([pod(server), pod(server), pod(server)]);
  const opened = await Promise.all(pods.flatMap((gateway) => [legacy(gateway, 'one'), legacy(gateway, null), modern(gateway, 'one')]));
  const names = opened.map((_, index) => (index % 3 === 1 ? 'one_count' : 'count'));
  const counts = await Promise.all(opened.map((client, index) => text(client as Caller, names[index] ?? '')));
  expect(counts.map(Number).toSorted((a, b) => a - b)).toEqual(opened.map((_, index) => index + 1));
  expect(await evenly()).toBe('0,1');
}, 60_000);

test('a server with a process for each principal has one for all sessions of a user, on whichever gateway they open', async () => {
  const server = register('personal', 'principal');
  const [one, two] = [await pod(server), await pod(server)];
  const counts: string[] = [];
  for (const gateway of [one, two, one]) counts.push(await text(await legacy(gateway, 'personal'), 'count'));
  expect(counts).toEqual(['1', '2', '3']);
  expect(await evenly()).toBe('0,1');
});

test('after kill -9 of the host the next use starts elsewhere, for clients of both eras, and calls in flight fail once', async () => {
  const server = register('one', 'shared');
  const [one, two] = [await pod(server), await pod(server)];
  const [old, fresh] = [await legacy(one, 'one'), await modern(two, 'one')];
  expect([await text(old, 'count'), await text(fresh as Caller, 'count')]).toEqual(['1', '2']);
  const { holding, other } = await holder();
  const hanging = old.callTool({ name: 'hang', arguments: {} });
  await new Promise((resolve) => setTimeout(resolve, 300));
  holding.child.kill('SIGKILL');
  expect(await hanging).toMatchObject({ isError: true, _meta: { 'com.patchbay/error': { code: 'upstream.broken' } } });
  expect([await text(old, 'count'), await text(fresh as Caller, 'count')]).toEqual(['1', '2']);
  expect((await other.status()).processes).toHaveLength(1);
  expect(one.counted.moves.count + two.counted.moves.count).toBe(1);
}, 60_000);

test('sessions that had a process each on a host that was killed start again elsewhere', async () => {
  const server = register('each', 'session');
  const gateway = await pod(server);
  const opened = await Promise.all(Array.from({ length: 8 }, () => legacy(gateway, 'each')));
  for (const client of opened) expect(await text(client, 'count')).toBe('1');
  const [onFirst, onSecond] = await processes();
  expect(Number(onFirst) + Number(onSecond)).toBe(8);
  await kill(hosts[0]);
  const counts = await Promise.all(opened.map((client) => text(client, 'count')));
  expect([counts.filter((count) => count === '1').length, counts.filter((count) => count === '2').length]).toEqual([onFirst, onSecond]);
  expect((await hosts[1]?.status())?.processes).toHaveLength(8);
}, 60_000);

test('a host that hangs is left within seconds, and what it ran ends when it comes back', async () => {
  const server = register('memory', 'shared', ['read_graph', 'create_entities']);
  const [one, two] = [await pod(server), await pod(server)];
  const [old, fresh] = [await legacy(one, 'memory'), await modern(two, 'memory')];
  const entities = [{ name: 'Ada', entityType: 'person', observations: ['was here'] }];
  expect((await old.callTool({ name: 'create_entities', arguments: { entities } })).isError).toBeFalsy();
  expect(await text(fresh as Caller, 'read_graph')).toContain('Ada');
  const { holding, other } = await holder();
  holding.child.kill('SIGSTOP');
  const stoppedAtMs = performance.now();
  try {
    await eventually('both gateways have given the host up', async () =>
      [one, two].every(({ stdio }) => stdio?.hosts.all.some((host) => !stdio.hosts.isAlive(host))) ? true : null,
    );
    expect(performance.now() - stoppedAtMs).toBeLessThan(12_000);
    expect(await text(old, 'read_graph')).toContain('entities');
    expect(await text(fresh as Caller, 'read_graph')).toContain('entities');
    expect((await other.status()).processes).toHaveLength(1);
  } finally {
    holding.child.kill('SIGCONT');
  }
  await eventually('only the new process is left', async () => ((await evenly()) === '0,1' ? true : null));
  expect((await other.status()).processes).toHaveLength(1);
  expect(await text(old, 'read_graph')).toContain('entities');
}, 60_000);

test('a record that was forged, or names a host that nobody listed, changes nothing and is counted', async () => {
  const server = register('one', 'shared');
  const one = await pod(server);
  const client = await legacy(one, 'one');
  expect(await text(client, 'count')).toBe('1');
  const key = [...store.values.keys()].find((each) => each.includes('stdio-host/'));
  if (key === undefined) throw new Error('there is a record');
  const standing = store.values.get(key);
  const urls = hosts.map(({ url }) => hostIdOf(new URL(url)));
  for (const forged of [
    JSON.stringify([urls[1], 9]),
    JSON.stringify([urls[0], 9]),
    'http://evil.example',
    standing?.replace(/.$/, 'x') ?? '',
  ]) {
    store.values.set(key, forged);
    const ignored = one.counted.recordsIgnored.count;
    await eventually('the forged record is counted', async () => {
      await text(client, 'count');
      return one.counted.recordsIgnored.count > ignored ? true : null;
    });
    const another = await pod(server);
    expect(Number(await text(await legacy(another, 'one'), 'count'))).toBeGreaterThan(1);
  }
  expect(await evenly()).toBe('0,1');
  expect(one.counted.moves.count).toBe(0);
}, 60_000);

test('without the shared store every gateway finds the same host by itself', async () => {
  const server = register('one', 'shared');
  const away = (): Promise<never> => Promise.reject(new Error('the store is away'));
  store = { ...memoryStore(), get: away, setIfAbsent: away, compareAndSet: away, set: away, delete: away };
  const pods = await Promise.all([pod(server), pod(server), pod(server)]);
  const opened = await Promise.all(pods.map((gateway) => legacy(gateway, 'one')));
  const counts = await Promise.all(opened.map((client) => text(client, 'count')));
  expect(counts.toSorted()).toEqual(['1', '2', '3']);
  expect(await evenly()).toBe('0,1');
}, 60_000);

test('a host that ends in order answers what it has and leaves the rest to the other', async () => {
  const server = register('one', 'shared');
  const gateway = await pod(server);
  const client = await legacy(gateway, 'one');
  expect(await text(client, 'count')).toBe('1');
  const { holding, other } = await holder();
  const ended = once(holding.child, 'exit');
  holding.child.kill('SIGTERM');
  for (let calls = 0; calls < 20; calls += 1) expect(await text(client, 'count')).toMatch(/^\d+$/);
  expect(await ended).toEqual([0, null]);
  expect(await text(client, 'count')).toMatch(/^\d+$/);
  expect((await other.status()).processes).toHaveLength(1);
}, 60_000);

test('hosts that are restarted one after the other in order cost no call, on whichever gateway', async () => {
  const server = register('one', 'shared');
  const pods = await Promise.all([pod(server), pod(server), pod(server)]);
  const opened = await Promise.all(pods.map((gateway) => legacy(gateway, 'one')));
  const answers: string[] = [];
  let goesOn = true;
  const calling = opened.map(async (client) => {
    while (goesOn) answers.push(await text(client, 'count'));
  });
  const { holding, other } = await holder();
  for (const host of [holding, other]) {
    const ended = once(host.child, 'exit');
    host.child.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
    // At its old address, and the next one ends as soon as it answers: no gateway has looked at it again by then.
    hosts.push(await startHostProcess(launches, { [ENV.stdioHostPort]: new URL(host.url).port }));
  }
  goesOn = false;
  await Promise.all(calling);
  expect(answers.filter((answer) => !/^\d+$/.test(answer))).toEqual([]);
  expect(answers.length).toBeGreaterThan(10);
}, 60_000);

test('a host without room sends new sessions to the next, and only when all are full is that said', async () => {
  await Promise.all(hosts.map((host) => host.dispose()));
  const room = { [ENV.stdioProcessesMax]: '2' };
  hosts = await Promise.all([startHostProcess(launches, room), startHostProcess(launches, room)]);
  const server = register('each', 'session');
  const gateway = await pod(server);
  for (let busy = 0; busy < 4; busy += 1) {
    const client = await legacy(gateway, 'each');
    // A process with a call in flight is never ended to make room.
    client.callTool({ name: 'hang', arguments: {} }).catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  expect(await processes()).toEqual([2, 2]);
  await expect(legacy(gateway, 'each')).rejects.toThrow(ENV.stdioProcessesMax);
}, 60_000);
