import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { type LegacyUpstream, startLegacyUpstream } from '@patchbay/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WebSocket as Socket } from 'ws';
import { memoryStore, startGateway, type TestGateway } from './support/gateway.ts';
import { oldServer } from './support/legacy-server.ts';
import { waitFor } from './support/wait-for.ts';
import { connectOverWebSocket } from './support/web-socket-client.ts';

let upstream: LegacyUpstream;
let gateway: TestGateway;
/** Another pod: same keys and store. */
let otherPod: TestGateway;
/** What the store waits for before it says whether a ticket is good. */
let storeSpeaks: Promise<unknown>;
const revoked = new Set<string>();
const sockets: Socket[] = [];

beforeEach(async () => {
  revoked.clear();
  upstream = await startLegacyUpstream();
  storeSpeaks = Promise.resolve();
  const memory = memoryStore();
  const setIfAbsent: typeof memory.setIfAbsent = (...args) => storeSpeaks.then(() => memory.setIfAbsent(...args));
  const store = { ...memory, setIfAbsent };
  const spec = { servers: [oldServer(upstream)], store, refuses: (user: string | null) => user === null || revoked.has(user) };
  gateway = await startGateway(spec);
  otherPod = await startGateway(spec);
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.terminate();
  await gateway.close();
  await otherPod.close();
  await upstream.close();
});

const address = (pod: TestGateway, slug: string | null): string => pod.url(slug).replace(/^http/, 'ws').replace(/mcp$/, 'ws');

type Said = { id?: number; method?: string; result?: Record<string, unknown>; error?: { code: number; data?: Record<string, unknown> } };

/** A connection with what it says laid open. */
async function open(url: string, headers: Record<string, string> = { authorization: 'Bearer ada' }) {
  const socket = new Socket(url, { headers });
  sockets.push(socket);
  const heard: Said[] = [];
  socket.on('message', (data: Buffer) => heard.push(JSON.parse(data.toString()) as Said));
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  socket.on('error', () => undefined);
  const opened = await new Promise<number>((resolve) => {
    socket.once('open', () => resolve(101));
    socket.once('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
    socket.once('close', () => resolve(0));
  });
  const say = (message: object | string): void => socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  const answerTo = (id: number): Promise<Said> => waitFor(() => heard.find((each) => each.id === id && each.method === undefined));
  return { socket, heard, closed, opened, say, answerTo };
}

const INITIALIZE = {
  jsonrpc: '2.0',
  id: 0,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
};
const call = (id: number, name: string, args: object = {}) => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name, arguments: args },
});

async function initialized(url = address(gateway, 'old')): Promise<Awaited<ReturnType<typeof open>>> {
  const connection = await open(url);
  connection.say(INITIALIZE);
  await connection.answerTo(0);
  connection.say({ jsonrpc: '2.0', method: 'notifications/initialized' });
  return connection;
}

test.each(['old', null])('the official client works over a WebSocket at %s, each message through the pipeline', async (slug) => {
  const client = new Client({ name: 'test', version: '1.0.0' });
  await connectOverWebSocket(client, address(gateway, slug));
  const prefix = slug === null ? 'old_' : '';
  expect((await client.listTools()).tools.map(({ name }) => name)).toContain(`${prefix}echo`);
  const progress: number[] = [];
  const onprogress = (each: { progress: number }): void => void progress.push(each.progress);
  await client.callTool({ name: `${prefix}steps`, arguments: { steps: 3 } }, undefined, { onprogress });
  expect(progress.slice(0, 2)).toEqual([1, 2]);
  await client.callTool({ name: `${prefix}count` });
  expect(await client.callTool({ name: `${prefix}count` })).toMatchObject({ content: [{ text: '2' }] });
  expect(gateway.calls.map(({ message }) => message?.method)).toContain('tools/call');
  expect(gateway.calls.every(({ principal }) => principal !== null)).toBe(true);
  await client.close();
  await waitFor(() => (upstream.sessions().length === 0 ? true : undefined));
});

test('a token that is not good gets 401 before there is a WebSocket, and no token without an Origin too', async () => {
  revoked.add('eve');
  expect((await open(address(gateway, 'old'), { authorization: 'Bearer eve' })).opened).toBe(401);
  expect((await open(address(gateway, 'old'), {})).opened).toBe(401);
  expect((await open(address(gateway, 'unheard-of'))).opened).toBe(403);
});

test('a token that ends, ends its connections, and nothing more is done for it', async () => {
  const connection = await initialized();
  revoked.add('ada');
  connection.say(call(1, 'echo', { message: 'x' }));
  expect((await connection.answerTo(1)).error?.data).toMatchObject({ code: 'auth.invalid_token' });
  expect(await connection.closed).toBe(4401);
});

async function ticketFrom(pod: TestGateway, slug: string | null, user = 'ada'): Promise<{ status: number; ticket: string }> {
  const url = pod.url(slug).replace(/mcp$/, 'ws');
  const answer = await fetch(url, { method: 'POST', headers: { authorization: `Bearer ${user}` } });
  return { status: answer.status, ...((await answer.json()) as { ticket: string }) };
}

test('a browser trades a ticket of any pod for its first frame, once, at the endpoint it is for', async () => {
  const browser = { origin: 'https://app.example' };
  const { ticket } = await ticketFrom(otherPod, 'old');
  expect(Buffer.from(ticket, 'base64url').toString('latin1')).not.toContain('Bearer ada');
  const wrongPlace = await open(address(gateway, null), browser);
  wrongPlace.say({ ticket });
  expect(await wrongPlace.closed).toBe(4401);
  const connection = await open(address(gateway, 'old'), browser);
  connection.say({ ticket });
  // What follows at once waits for the ticket.
  connection.say(INITIALIZE);
  expect((await connection.answerTo(0)).result).toMatchObject({ protocolVersion: '2025-11-25' });
  expect(gateway.calls.at(-1)?.request.headers.authorization).toBe('Bearer ada');
  const again = await open(address(otherPod, 'old'), browser);
  again.say({ ticket });
  expect(await again.closed).toBe(4401);
});

test('a ticket is given only to who may use the endpoint, and ends with the token that it stands for', async () => {
  const { ticket } = await ticketFrom(gateway, 'old');
  revoked.add('ada');
  expect((await ticketFrom(gateway, 'old')).status).toBe(401);
  const connection = await open(address(gateway, 'old'), { origin: 'https://app.example' });
  connection.say({ ticket });
  expect(await connection.closed).toBe(4401);
});

test('it is for revisions with a handshake: a message of 2026-07-28 is told which', async () => {
  const connection = await open(address(gateway, 'old'));
  const meta = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': {} };
  connection.say({ jsonrpc: '2.0', id: 1, method: 'server/discover', params: { _meta: meta } });
  const { error } = await connection.answerTo(1);
  expect(error).toMatchObject({ code: -32022, data: { requested: '2026-07-28', supported: expect.arrayContaining(['2025-11-25']) } });
});

test('what is no message is answered or ends the connection, and more than the limit is not read', async () => {
  const connection = await open(address(gateway, 'old'));
  connection.say('no json');
  expect((await waitFor(() => connection.heard[0])).error?.code).toBe(-32700);
  connection.socket.send(Buffer.from('{}'), { binary: true });
  expect(await connection.closed).toBe(1003);
  const large = await open(address(gateway, 'old'));
  large.say(JSON.stringify({ ...call(1, 'echo'), padding: 'x'.repeat(1_000_000) }));
  expect(await large.closed).toBe(1009);
});

test('more requests than may wait at a time are told so, and take nothing from the others', async () => {
  const connection = await initialized();
  for (let id = 1; id <= 256; id += 1) connection.say(call(id, 'sleep', { ms: 300 }));
  connection.say(call(257, 'sleep', { ms: 0 }));
  expect((await connection.answerTo(257)).error?.data).toMatchObject({ code: 'http.overloaded' });
  expect((await connection.answerTo(256)).result).toBeDefined();
});

test('notifications that come faster than they are taken wait their turn: none is lost, and a request behind them is answered', async () => {
  const connection = await initialized();
  for (let n = 0; n < 500; n += 1) connection.say({ jsonrpc: '2.0', method: 'notifications/n', params: { n } });
  connection.say({ jsonrpc: '2.0', id: 9, method: 'ping' });
  expect((await connection.answerTo(9)).result).toEqual({});
  const seen = gateway.calls.flatMap(({ body, message }) =>
    message?.method === 'notifications/n' ? [(JSON.parse(body.toString()) as { params: { n: number } }).params.n] : [],
  );
  expect(seen).toEqual(Array.from({ length: 500 }, (_, n) => n));
});

test('a large answer arrives whole', async () => {
  const connection = await initialized();
  const message = 'x'.repeat(900_000);
  connection.say(call(1, 'echo', { message }));
  expect((await connection.answerTo(1)).result).toMatchObject({ content: [{ text: `legacy:${message}` }] });
});

test('a pod that drains lets a call end, then tells the client to connect anew', async () => {
  const connection = await initialized();
  connection.say(call(1, 'sleep', { ms: 200 }));
  await waitFor(() => (gateway.outcomes.length > 2 ? true : undefined));
  const drained = gateway.transports.drain(5_000);
  expect(await connection.closed).toBe(1001);
  expect(connection.heard.find(({ id }) => id === 1)?.result).toBeDefined();
  await drained;
});

test('a client that is cut off takes its session with it', async () => {
  const connection = await initialized();
  await waitFor(() => (upstream.sessions().length === 1 ? true : undefined));
  connection.socket.terminate();
  await waitFor(() => (upstream.sessions().length === 0 ? true : undefined));
});

test('200 connections that came, initialised and went leave nothing', async () => {
  for (let round = 0; round < 10; round += 1) {
    const opened = await Promise.all(Array.from({ length: 20 }, () => initialized()));
    for (const { socket } of opened) socket.close();
    await Promise.all(opened.map(({ closed }) => closed));
  }
  await waitFor(() => (upstream.sessions().length === 0 ? true : undefined));
  expect((await gateway.metrics.render()).text).toContain('patchbay_gateway_connections{transport="ws"} 0');
  expect(gateway.streams.count()).toBe(0);
});

test('the pod says how many connections it holds', async () => {
  await initialized();
  expect((await gateway.metrics.render()).text).toContain('patchbay_gateway_connections{transport="ws"} 1');
});

test('a connection that is lost while its ticket is looked at is not served', async () => {
  const { ticket } = await ticketFrom(gateway, 'old');
  const connection = await open(address(gateway, 'old'), { origin: gateway.url(null) });
  const { promise, resolve } = Promise.withResolvers<unknown>();
  storeSpeaks = promise;
  connection.say({ ticket });
  await new Promise((done) => setTimeout(done, 100));
  connection.socket.terminate();
  // The gateway tells it that its ticket is late, and finds nobody there.
  await new Promise((done) => setTimeout(done, 5_500));
  resolve(null);
  await new Promise((done) => setTimeout(done, 100));
  expect((await gateway.metrics.render()).text).toContain('patchbay_gateway_connections{transport="ws"} 0');
}, 15_000);
