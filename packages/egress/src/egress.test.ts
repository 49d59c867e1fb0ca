import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { PRIVATE_RANGES, type AddressPolicy } from './address-policy.ts';
import { BodyTooLarge, readAll } from './bounded-body.ts';
import { EgressRefused, type Resolve } from './dialer.ts';
import { egressFetch, RedirectRefused, type FetchOptions } from './fetch.ts';
import { createInternalFetch } from './internal.ts';
import { createUpstreamPool } from './upstream-pool.ts';

const open: AddressPolicy = { refused: [], openings: PRIVATE_RANGES.map((cidr) => ({ cidr, port: null })) };
const closed: AddressPolicy = { refused: [], openings: [] };
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

type Serving = {
  port: number;
  url: string;
  seen: { url: string | undefined; headers: Record<string, unknown> }[];
  connections: () => number;
};

async function serve(handler: RequestListener): Promise<Serving> {
  const seen: Serving['seen'] = [];
  let connections = 0;
  const server: Server = createServer((request, response) => {
    seen.push({ url: request.url, headers: request.headers });
    handler(request, response);
  });
  server.on('connection', () => (connections += 1));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { port, url: `http://127.0.0.1:${port}/`, seen, connections: () => connections };
}

function options(more: Partial<FetchOptions> = {}): FetchOptions {
  return { policy: () => open, timeoutMs: 2_000, maxBytes: 1_000, ...more };
}
const resolving =
  (...addresses: string[]): Resolve =>
  () =>
    Promise.resolve(addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })));

test('an opened destination is reached and its answer comes whole', async () => {
  const server = await serve((_request, response) => response.end('hello'));
  const answer = await egressFetch(server.url, {}, options());
  expect([answer.status, (await readAll(answer.body)).toString()]).toEqual([200, 'hello']);
});

test('a literal private address is refused without a connection', async () => {
  const server = await serve((_request, response) => response.end());
  await expect(egressFetch(server.url, {}, options({ policy: () => closed }))).rejects.toBeInstanceOf(EgressRefused);
  expect(server.connections()).toBe(0);
});

test.each([[['127.0.0.1']], [['93.184.216.34', '127.0.0.1']], [['127.0.0.1', '93.184.216.34']], [['::ffff:127.0.0.1']]])(
  'a name that leads to a refused address, alone or among others, is refused without a connection: %j',
  async (addresses) => {
    const server = await serve((_request, response) => response.end());
    const fetching = egressFetch(
      `http://rebind.example:${server.port}/`,
      {},
      options({ policy: () => closed, resolve: resolving(...addresses) }),
    );
    await expect(fetching).rejects.toBeInstanceOf(EgressRefused);
    expect(server.connections()).toBe(0);
  },
);

test('a name is resolved once a connection, and the address that was checked is the one connected to', async () => {
  const server = await serve((_request, response) => response.end('checked'));
  let asked = 0;
  const resolve: Resolve = () => Promise.resolve([{ address: (asked += 1) === 1 ? '127.0.0.1' : '169.254.169.254', family: 4 }]);
  const answer = await egressFetch(`http://rebind.example:${server.port}/`, {}, options({ resolve }));
  expect((await readAll(answer.body)).toString()).toBe('checked');
  expect([asked, server.seen[0]?.headers['host']]).toEqual([1, `rebind.example:${server.port}`]);
});

test('our own listener is refused by the name it is configured under, and when that name cannot be resolved', async () => {
  const server = await serve((_request, response) => response.end());
  const policy = (): AddressPolicy => ({ ...open, refused: [{ host: 'database.internal', port: server.port }] });
  await expect(egressFetch(server.url, {}, options({ policy, resolve: resolving('127.0.0.1') }))).rejects.toBeInstanceOf(EgressRefused);
  await expect(
    egressFetch(server.url, {}, options({ policy, resolve: () => Promise.reject(new Error('no answer')) })),
  ).rejects.toBeInstanceOf(EgressRefused);
  expect(server.connections()).toBe(0);
});

test('a redirect is an error unless asked for', async () => {
  const server = await serve((_request, response) => response.writeHead(302, { location: '/next' }).end());
  await expect(egressFetch(server.url, {}, options())).rejects.toBeInstanceOf(RedirectRefused);
  expect(server.seen.length).toBe(1);
});

test('a followed redirect is checked like the first address, carries no credential to another origin, and is counted', async () => {
  const target = await serve((_request, response) => response.end('there'));
  const server = await serve((request, response) =>
    response
      .writeHead(302, { location: request.url === '/away' ? target.url : request.url === '/meta' ? 'http://169.254.169.254/' : '/loop' })
      .end(),
  );
  const answer = await egressFetch(
    `${server.url}away`,
    { headers: { Authorization: 'Bearer x', 'X-Api-Key': 'x', accept: 'a/b' } },
    options({ redirects: 1 }),
  );
  expect((await readAll(answer.body)).toString()).toBe('there');
  expect(target.seen[0]?.headers).toMatchObject({ accept: 'a/b' });
  expect(Object.keys(target.seen[0]?.headers ?? {})).not.toContain('authorization');
  expect(Object.keys(target.seen[0]?.headers ?? {})).not.toContain('x-api-key');
  await expect(egressFetch(`${server.url}meta`, {}, options({ redirects: 3 }))).rejects.toBeInstanceOf(EgressRefused);
  await expect(egressFetch(`${server.url}loop`, {}, options({ redirects: 3 }))).rejects.toBeInstanceOf(RedirectRefused);
  await expect(egressFetch(`${server.url}away`, { method: 'POST' }, options({ redirects: 3 }))).rejects.toBeInstanceOf(RedirectRefused);
});

test('a body over the limit ends in an error, announced or not', async () => {
  const announced = await serve((_request, response) => response.writeHead(200, { 'content-length': 2_000 }).end('x'.repeat(2_000)));
  await expect(egressFetch(announced.url, {}, options())).rejects.toBeInstanceOf(BodyTooLarge);
  const endless = await serve((_request, response) => {
    const timer = setInterval(() => response.write('x'.repeat(300)), 1);
    response.on('close', () => clearInterval(timer));
  });
  const answer = await egressFetch(endless.url, {}, options());
  await expect(readAll(answer.body)).rejects.toBeInstanceOf(BodyTooLarge);
});

test('headers that never come and a body that never ends both end in the time allowed', async () => {
  const silent = await serve(() => undefined);
  await expect(egressFetch(silent.url, {}, options({ timeoutMs: 100 }))).rejects.toThrow(/time/i);
  const stuck = await serve((_request, response) => void response.write('x'));
  const answer = await egressFetch(stuck.url, {}, options({ timeoutMs: 200 }));
  await expect(readAll(answer.body)).rejects.toThrow(/time/i);
});

test('a change of policy counts for the next connection of a pool', async () => {
  const server = await serve((_request, response) => response.writeHead(200, { connection: 'close' }).end('x'));
  let policy = open;
  const pool = createUpstreamPool(server.url, { policy: () => policy, connectTimeoutMs: 1_000, keepAliveMs: 1_000 });
  cleanups.push(() => pool.destroy());
  const answer = await pool.request({ path: '/', method: 'GET' });
  expect(await answer.body.text()).toBe('x');
  policy = closed;
  await expect(pool.request({ path: '/', method: 'GET' })).rejects.toBeInstanceOf(EgressRefused);
});

test('a pool hands a redirect on as it came', async () => {
  const server = await serve((_request, response) => response.writeHead(307, { location: '/next' }).end());
  const pool = createUpstreamPool(server.url, { policy: () => open, connectTimeoutMs: 1_000, keepAliveMs: 1_000 });
  cleanups.push(() => pool.destroy());
  const answer = await pool.request({ path: '/', method: 'GET' });
  await answer.body.dump();
  expect([answer.statusCode, server.seen.length]).toEqual([307, 1]);
});

test('a program of ours is called at its base path with its bearer, bounded in bytes', async () => {
  const server = await serve((request, response) => response.end(request.url === '/base/big' ? 'x'.repeat(500) : 'fine'));
  const internal = createInternalFetch({
    baseUrl: new URL(`${server.url}base/`),
    bearer: { reveal: () => 'abc' },
    timeoutMs: 1_000,
    maxBytes: 100,
  });
  cleanups.push(() => internal.close());
  const answer = await internal.request('/facts?x=1');
  expect((await readAll(answer.body)).toString()).toBe('fine');
  expect(server.seen[0]).toMatchObject({ url: '/base/facts?x=1', headers: { authorization: 'Bearer abc' } });
  await expect(internal.request('/big').then(({ body }) => readAll(body))).rejects.toBeInstanceOf(BodyTooLarge);
});
