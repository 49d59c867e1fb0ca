import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { StdioHostStatus } from '@patchbay/contracts';
import { Secret } from '@patchbay/vault';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { StdioHosts } from './stdio-hosts.ts';

const SERVER = { organisationId: 'o', id: 's', generation: 'g1', isolation: 'shared' } as const;
const RUNNING: StdioHostStatus['processes'][number] = {
  ...{ organisationId: 'o', serverId: 's', slug: 'x', generation: 'g1', pid: 1, isolation: 'shared' as const, state: 'ready' as const },
  ...{ startedAtMs: 0, lastUsedAtMs: 0, sessions: 0, stderrTail: [], strayLines: 0 },
};

type FakeHost = { url: URL; server: Server; processes: StdioHostStatus['processes']; asked: string[] };

let fakes: FakeHost[];
let hosts: StdioHosts;
beforeEach(async () => {
  fakes = await Promise.all([fakeHost(), fakeHost(), fakeHost()]);
  hosts = new StdioHosts(
    fakes.map(({ url }) => url),
    new Secret('word'),
    null,
  );
});
afterEach(async () => {
  await hosts.close();
  for (const { server } of fakes) server.close();
});

async function fakeHost(): Promise<FakeHost> {
  const fake: FakeHost = { url: new URL('http://x'), server: createServer(), processes: [], asked: [] };
  fake.server.on('request', (request, response) => {
    fake.asked.push(`${request.url} ${request.headers.authorization}`);
    const status: StdioHostStatus = { isolation: { available: true, missing: [] }, processesMax: 8, processes: fake.processes };
    response.end(JSON.stringify(status));
  });
  await new Promise<void>((resolve) => fake.server.listen(0, '127.0.0.1', resolve));
  fake.url = new URL(`http://127.0.0.1:${(fake.server.address() as AddressInfo).port}`);
  return fake;
}

/** Which of the fakes was chosen: the one that an ordinary request then reaches. */
async function chosen(server: typeof SERVER | (Omit<typeof SERVER, 'isolation'> & { isolation: 'session' }) = SERVER): Promise<number> {
  const { internal } = await hosts.hostFor(server);
  await internal.request('/marker');
  const index = fakes.findIndex(({ asked }) => asked.includes('/marker Bearer word'));
  for (const fake of fakes) fake.asked = [];
  return index;
}

test('a server is discovered on the same host each time, and on another when that is away', async () => {
  const first = await chosen();
  expect(await chosen()).toBe(first);
  fakes[first]?.server.close();
  fakes[first]?.server.closeAllConnections();
  const second = await chosen();
  expect(second).not.toBe(first);
  expect(second).toBeGreaterThanOrEqual(0);
});

test('a shared server is discovered where its one process runs; a server with a process for each session need not be', async () => {
  const first = await chosen();
  const elsewhere = (first + 1) % 3;
  for (const [index, fake] of fakes.entries()) if (index === elsewhere) fake.processes = [RUNNING];
  expect(await chosen()).toBe(elsewhere);
  expect(await chosen({ ...SERVER, isolation: 'session' })).toBe(first);
});
