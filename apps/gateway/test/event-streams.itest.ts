import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { type LegacyUpstream, startLegacyUpstream } from '@patchbay/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { memoryBus, memoryStore } from '../src/mailbox/memory-ports.fixture.ts';
import { startGateway, type TestGateway } from './support/gateway.ts';
import { oldServer } from './support/legacy-server.ts';
import { waitFor } from './support/wait-for.ts';

let upstream: LegacyUpstream;
/** Holds the streams. */
let gateway: TestGateway;
/** Another pod: same keys, store and bus. */
let otherPod: TestGateway;
let store: ReturnType<typeof memoryStore>;
const revoked = new Set<string>();
/** Where the streams are, before the other pod has heard. */
const revokedHere = new Set<string>();
/** What the store waits for before it takes anything. */
let storeTakes: Promise<unknown>;
const streams: AbortController[] = [];

beforeEach(async () => {
  revoked.clear();
  revokedHere.clear();
  upstream = await startLegacyUpstream();
  const refuses = (user: string | null): boolean => user === null || revoked.has(user);
  storeTakes = Promise.resolve();
  store = memoryStore();
  const spec = { servers: [oldServer(upstream)], store, bus: memoryBus(), refuses };
  const slow = { ...store, set: (...args: Parameters<typeof store.set>) => storeTakes.then(() => store.set(...args)) };
  gateway = await startGateway({ ...spec, store: slow, refuses: (user) => refuses(user) || revokedHere.has(user ?? '') });
  otherPod = await startGateway(spec);
});

afterEach(async () => {
  for (const stream of streams.splice(0)) stream.abort();
  await gateway.close();
  await otherPod.close();
  await upstream.close();
});

const address = (pod: TestGateway, slug: string | null): string => pod.url(slug).replace(/mcp$/, 'sse');

/** The same request at another pod, as a balancer would have it. */
const at = (pod: TestGateway, url: string): string => new URL(new URL(url).pathname + new URL(url).search, pod.url(null)).href;

type Said = { id?: number; result?: Record<string, unknown>; error?: { data: { code: string } } };

/** A stream laid open, with the address that its POSTs go to. */
async function open(slug: string | null, user = 'ada') {
  const controller = new AbortController();
  streams.push(controller);
  const response = await fetch(address(gateway, slug), { headers: { authorization: `Bearer ${user}` }, signal: controller.signal });
  const heard: Said[] = [];
  const endpoint = Promise.withResolvers<string>();
  const ended = (async () => {
    let text = '';
    for await (const chunk of response.body ?? []) {
      text += Buffer.from(chunk as Uint8Array).toString();
      for (let end = text.indexOf('\n\n'); end !== -1; end = text.indexOf('\n\n')) {
        const [, event, data = ''] = /^event: (\w+)\ndata: (.*)$/.exec(text.slice(0, end)) ?? [];
        text = text.slice(end + 2);
        if (event === 'endpoint') endpoint.resolve(new URL(data, gateway.url(null)).href);
        else if (event === 'message') heard.push(JSON.parse(data) as Said);
      }
    }
  })().catch(() => undefined);
  return {
    status: response.status,
    response,
    heard,
    ended,
    endpoint: response.ok ? await endpoint.promise : '',
    close: () => controller.abort(),
  };
}

async function post(url: string, message: object | string, { user = 'ada', type = 'application/json' } = {}): Promise<number> {
  const body = typeof message === 'string' ? message : JSON.stringify(message);
  const response = await fetch(url, { method: 'POST', headers: { authorization: `Bearer ${user}`, 'content-type': type }, body });
  await response.text();
  return response.status;
}

const INITIALIZE = { protocolVersion: '2024-11-05', capabilities: {}, clientInfo: { name: 'test', version: '1' } };
const PING = { jsonrpc: '2.0', id: 1, method: 'ping' };

test.each(['old', null])('the official client works over HTTP+SSE at %s while its POSTs land on every pod in turn', async (slug) => {
  const client = new Client({ name: 'test', version: '1.0.0' });
  let posts = 0;
  const balanced: typeof fetch = (url, init) => {
    const target = String(url instanceof Request ? url.url : url);
    if (init?.method !== 'POST') return fetch(target, init);
    return fetch(at((posts += 1) % 2 === 0 ? gateway : otherPod, target), init);
  };
  const requestInit = { headers: { authorization: 'Bearer ada' } };
  await client.connect(new SSEClientTransport(new URL(address(gateway, slug)), { requestInit, fetch: balanced }));
  const prefix = slug === null ? 'old_' : '';
  expect((await client.listTools()).tools.map(({ name }) => name)).toContain(`${prefix}echo`);
  const progress: number[] = [];
  const onprogress = (each: { progress: number }): void => void progress.push(each.progress);
  for (let round = 0; round < 2; round += 1)
    await client.callTool({ name: `${prefix}steps`, arguments: { steps: 3 } }, undefined, { onprogress });
  expect(progress.slice(0, 2)).toEqual([1, 2]);
  await client.callTool({ name: `${prefix}count` });
  expect(await client.callTool({ name: `${prefix}count` })).toMatchObject({ content: [{ text: '2' }] });
  expect(posts).toBeGreaterThan(6);
  // The message itself runs where the stream is.
  expect(otherPod.calls.filter(({ message }) => message?.method === 'tools/call')).toEqual([]);
  await client.close();
  await waitFor(() => (upstream.sessions().length === 0 ? true : undefined));
});

test('messages run in the order in which they were accepted, whichever pod took them', async () => {
  const { endpoint } = await open('old');
  for (let n = 0; n < 20; n += 1)
    expect(await post(at(n % 2 === 0 ? otherPod : gateway, endpoint), { jsonrpc: '2.0', method: 'notifications/n', params: { n } })).toBe(
      202,
    );
  const seen = (): number[] =>
    gateway.calls.flatMap(({ body, message }) =>
      message?.method === 'notifications/n' ? [(JSON.parse(body.toString()) as { params: { n: number } }).params.n] : [],
    );
  await waitFor(() => (seen().length === 20 ? true : undefined));
  expect(seen()).toEqual(Array.from({ length: 20 }, (_, n) => n));
});

test('a stream takes messages from its own caller at its own endpoint only, and none once it is over', async () => {
  const { close, endpoint, heard } = await open('old');
  expect(await post(at(otherPod, endpoint), PING, { user: 'bob' })).toBe(404);
  expect(await post(endpoint.replace('/old/', '/'), PING)).toBe(404);
  expect(await post(endpoint.replace(/session=.*/, 'session=invented'), PING)).toBe(404);
  expect(await post(at(otherPod, endpoint), PING)).toBe(202);
  await waitFor(() => heard[0]);
  expect(heard).toEqual([{ jsonrpc: '2.0', id: 1, result: {} }]);
  close();
  for (const pod of [gateway, otherPod]) await expect.poll(() => post(at(pod, endpoint), PING)).toBe(404);
});

test('a token that ends, ends its streams, and opens none', async () => {
  const stream = await open('old');
  revoked.add('ada');
  expect(await post(stream.endpoint, PING)).toBe(401);
  expect((await open('old')).status).toBe(401);
  // What another pod has taken meets the end of the token here.
  revoked.clear();
  const { endpoint, ended, heard } = await open('old');
  await post(endpoint, { jsonrpc: '2.0', id: 1, method: 'initialize', params: INITIALIZE });
  await waitFor(() => heard[0]);
  revokedHere.add('ada');
  expect(await post(at(otherPod, endpoint), { ...PING, id: 2 })).toBe(202);
  expect((await waitFor(() => heard.find(({ id }) => id === 2))).error?.data.code).toBe('auth.invalid_token');
  await ended;
});

test('what may not be there is refused before it is read', async () => {
  const { endpoint } = await open('old');
  expect(await post(endpoint, 'x', { type: 'text/plain' })).toBe(415);
  expect(await post(at(otherPod, endpoint), JSON.stringify({ ...PING, padding: 'x'.repeat(1_000_000) }))).toBe(413);
  const wrong = await fetch(address(gateway, 'old'), { method: 'POST', headers: { authorization: 'Bearer ada' } });
  expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'GET']);
  expect((await open('unheard-of')).status).toBe(403);
});

test('200 streams that came, initialised and went leave nothing: no connection, no mailbox, no session', async () => {
  for (let round = 0; round < 10; round += 1) {
    const opened = await Promise.all(Array.from({ length: 20 }, () => open('old')));
    await Promise.all(
      opened.map(({ endpoint }) => post(at(otherPod, endpoint), { jsonrpc: '2.0', id: 1, method: 'initialize', params: INITIALIZE })),
    );
    await Promise.all(opened.map(({ heard }) => waitFor(() => heard[0])));
    for (const { close } of opened) close();
  }
  await waitFor(() => (upstream.sessions().length === 0 ? true : undefined));
  expect((await gateway.metrics.render()).text).toContain('patchbay_gateway_connections{transport="sse"} 0');
  await expect.poll(() => [...store.values.keys()].filter((key) => key.includes('mailbox/'))).toEqual([]);
  expect(gateway.streams.count()).toBe(0);
});

test('a pod that drains ends its streams once nothing of them waits', async () => {
  const stream = await open('old');
  await post(stream.endpoint, PING);
  await waitFor(() => stream.heard[0]);
  expect((await gateway.metrics.render()).text).toContain('patchbay_gateway_connections{transport="sse"} 1');
  await gateway.transports.drain(5_000);
  await stream.ended;
  expect((await gateway.metrics.render()).text).toContain('patchbay_gateway_connections{transport="sse"} 0');
});

test('a stream whose client went before it stood leaves nothing behind', async () => {
  const boxes = (): string[] => [...store.values.keys()].filter((key) => key.includes(' mailbox/'));
  const { promise, resolve } = Promise.withResolvers<unknown>();
  storeTakes = promise;
  const leaving = new AbortController();
  const left = fetch(address(gateway, 'old'), { headers: { authorization: 'Bearer ada' }, signal: leaving.signal }).catch(() => null);
  const count = async (): Promise<string> => /connections\{transport="sse"\} (\d+)/.exec((await gateway.metrics.render()).text)?.[1] ?? '';
  await expect.poll(count).toBe('1');
  leaving.abort();
  await left;
  await new Promise((done) => setTimeout(done, 100));
  resolve(null);
  await expect.poll(count).toBe('0');
  await expect.poll(boxes).toEqual([]);
});
