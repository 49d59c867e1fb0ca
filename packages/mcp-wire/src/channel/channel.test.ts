import { afterEach, expect, test, vi } from 'vitest';
import { Channel, type ChannelDeps } from './channel.ts';
import type { ChannelAnswer, ChannelRequest } from './send.ts';

type Json = Record<string, unknown>;
type Sent = ChannelRequest & { readonly message: Json };
type Handler = (request: Sent) => ChannelAnswer | Promise<ChannelAnswer>;

const channels: Channel[] = [];
afterEach(async () => {
  for (const channel of channels.splice(0)) await channel.close(100);
});

const bodyOf = async function* (text: string): AsyncGenerator<Uint8Array> {
  if (text !== '') yield Buffer.from(text);
};
const answer = (status: number, message: Json | null, headers: Record<string, string> = {}): ChannelAnswer => ({
  status,
  headers: { 'content-type': 'application/json', ...headers },
  body: bodyOf(message === null ? '' : JSON.stringify(message)),
});
const resultFor = ({ message }: Sent, result: Json = {}): ChannelAnswer => answer(200, { jsonrpc: '2.0', id: message['id'], result });

/** A channel to an endpoint of the test's own. */
function open(handler: Handler, more: Partial<ChannelDeps> = {}) {
  const [sent, heard, problems]: [Sent[], Json[], string[]] = [[], [], []];
  const channel = new Channel({
    eras: 'both',
    requestsMax: 3,
    requestBytesMax: 10_000,
    deliver: async (message) => void heard.push(JSON.parse(message.toString()) as Json),
    problem: (what) => problems.push(what),
    send: async (request) => {
      const entry = { ...request, message: request.body === null ? {} : (JSON.parse(request.body.toString()) as Json) };
      sent.push(entry);
      return handler(entry);
    },
    ...more,
  });
  channels.push(channel);
  return { channel, sent, heard, problems, take: (message: Json) => void channel.take(Buffer.from(JSON.stringify(message))) };
}

const INITIALIZE = { jsonrpc: '2.0', id: 0, method: 'initialize', params: { protocolVersion: '2025-11-25', capabilities: {} } };
const INITIALIZED = { jsonrpc: '2.0', method: 'notifications/initialized' };

/** An endpoint with sessions: `s1`, then `s2` once the first is forgotten. */
function withSessions(rest: Handler = resultFor, version = () => '2025-11-25') {
  const state = { alive: 's1', opened: 0 };
  const handler: Handler = (request) => {
    if (request.method === 'GET') return answer(405, null);
    if (request.method === 'DELETE') return answer(204, null);
    if (request.message['method'] === 'initialize') {
      state.opened += 1;
      state.alive = `s${state.opened}`;
      const result = { protocolVersion: version(), capabilities: {}, serverInfo: { name: 'x', version: '1' } };
      return answer(200, { jsonrpc: '2.0', id: request.message['id'], result }, { 'mcp-session-id': state.alive });
    }
    if (request.headers['mcp-session-id'] !== state.alive)
      return answer(404, { jsonrpc: '2.0', id: null, error: { code: -1, message: 'gone' } });
    return request.message['id'] === undefined ? answer(202, null) : rest(request);
  };
  return { handler, forget: () => void (state.alive = 'forgotten'), state };
}

test('nothing overtakes the handshake, and a notification reaches the server before the request behind it', async () => {
  const { handler } = withSessions();
  const slow: Handler = async (request) => {
    if (request.message['id'] === undefined) await new Promise((resolve) => setTimeout(resolve, 20));
    return handler(request);
  };
  const { heard, sent, take } = open(slow);
  take(INITIALIZE);
  take(INITIALIZED);
  take({ jsonrpc: '2.0', id: 1, method: 'tools/list' });
  await vi.waitFor(() => expect(heard).toHaveLength(2));
  const posts = sent.filter(({ method }) => method === 'POST').map(({ message }) => message['method']);
  expect(posts).toEqual(['initialize', 'notifications/initialized', 'tools/list']);
  expect(sent.at(-1)?.headers).toMatchObject({ 'mcp-session-id': 's1', 'mcp-protocol-version': '2025-11-25' });
  expect(sent[0]?.headers).not.toHaveProperty('mcp-session-id');
});

test('a session that the server lost is opened once for all that found it gone, with level and subscriptions said again', async () => {
  const { forget, handler, state } = withSessions();
  const { heard, sent, take } = open(handler);
  take(INITIALIZE);
  take(INITIALIZED);
  take({ jsonrpc: '2.0', id: 1, method: 'logging/setLevel', params: { level: 'debug' } });
  take({ jsonrpc: '2.0', id: 2, method: 'resources/subscribe', params: { uri: 'a://1' } });
  await vi.waitFor(() => expect(heard).toHaveLength(3));
  take({ jsonrpc: '2.0', id: 3, method: 'resources/subscribe', params: { uri: 'a://2' } });
  take({ jsonrpc: '2.0', id: 4, method: 'resources/unsubscribe', params: { uri: 'a://1' } });
  await vi.waitFor(() => expect(heard).toHaveLength(5));
  forget();
  sent.length = 0;
  take({ jsonrpc: '2.0', id: 5, method: 'tools/call', params: { name: 'x' } });
  take({ jsonrpc: '2.0', id: 6, method: 'tools/call', params: { name: 'y' } });
  await vi.waitFor(() => expect(heard).toHaveLength(7));
  expect(state.opened).toBe(2);
  expect(heard.slice(5).map(({ id }) => id)).toEqual([5, 6]);
  const again = sent.filter(({ headers, message }) => headers['mcp-session-id'] === 's2' && message['method'] !== 'tools/call');
  expect(again.filter(({ method }) => method === 'POST').map(({ message }) => [message['method'], message['params']])).toEqual([
    ['notifications/initialized', undefined],
    ['logging/setLevel', { level: 'debug' }],
    ['resources/subscribe', { uri: 'a://2' }],
  ]);
});

test('a server that comes back with another revision is not taken for the same: the client is told that its session is gone', async () => {
  let version = '2025-11-25';
  const { forget, handler } = withSessions(resultFor, () => version);
  const { heard, take } = open(handler);
  take(INITIALIZE);
  await vi.waitFor(() => expect(heard).toHaveLength(1));
  forget();
  version = '2025-03-26';
  take({ jsonrpc: '2.0', id: 1, method: 'tools/list' });
  await vi.waitFor(() => expect(heard).toHaveLength(2));
  expect(heard[1]).toMatchObject({ id: 1, error: { message: 'gone' } });
});

test('ids keep their type, 0 is one, and the same id of two kinds are two requests (trap 8)', async () => {
  const { heard, take } = open(resultFor);
  for (const id of [0, '0', '']) take({ jsonrpc: '2.0', id, method: 'ping' });
  await vi.waitFor(() => expect(heard).toHaveLength(3));
  expect(heard.map(({ id }) => id)).toEqual([0, '0', '']);
});

test('what is cancelled has no answer, also when the server sends one', async () => {
  const late = Promise.withResolvers<void>();
  const { handler } = withSessions(async (request) => {
    await late.promise;
    return resultFor(request);
  });
  const { heard, sent, take } = open(handler);
  take(INITIALIZE);
  take({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'x' } });
  await vi.waitFor(() => expect(sent.some(({ message }) => message['id'] === 1)).toBe(true));
  take({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } });
  await vi.waitFor(() => expect(sent.at(-1)?.message['method']).toBe('notifications/cancelled'));
  late.resolve();
  take({ jsonrpc: '2.0', id: 2, method: 'ping' });
  await vi.waitFor(() => expect(heard.map(({ id }) => id)).toEqual([0, 2]));
});

test('more requests, or larger ones, than may wait are told so at once; those that wait are not', async () => {
  const hold = Promise.withResolvers<void>();
  const { heard, take } = open(async (request) => {
    await hold.promise;
    return resultFor(request);
  });
  const ask = (id: number, padding = ''): void => take({ jsonrpc: '2.0', id, method: 'ping', params: { padding } });
  for (const id of [1, 2, 3, 4]) ask(id);
  await vi.waitFor(() => expect(heard).toMatchObject([{ id: 4, error: { data: { code: 'http.overloaded' } } }]));
  hold.resolve();
  await vi.waitFor(() => expect(heard).toHaveLength(4));
  ask(5, 'x'.repeat(20_000));
  await vi.waitFor(() => expect(heard.at(-1)).toMatchObject({ id: 5, error: { data: { code: 'http.overloaded' } } }));
});

test('requests that repeat one id count each, in number and in bytes, and are all ended with the channel', async () => {
  const { channel, heard, sent, take } = open(() => new Promise(() => undefined));
  const ask = (padding = ''): void => take({ jsonrpc: '2.0', id: 'same', method: 'ping', params: { padding } });
  for (let count = 0; count < 2; count += 1) ask('x'.repeat(4_000));
  ask('x'.repeat(4_000));
  await vi.waitFor(() => expect(heard).toMatchObject([{ id: 'same', error: { data: { code: 'http.overloaded' } } }]));
  ask();
  ask();
  await vi.waitFor(() => expect(heard).toMatchObject([{}, { id: 'same', error: { data: { code: 'http.overloaded' } } }]));
  expect(sent).toHaveLength(3);
  await channel.close(100);
  expect(sent.map(({ signal }) => signal.aborted)).toEqual([true, true, true]);
});

test('closing ends the session and everything that waits, and says nothing more', async () => {
  const { handler } = withSessions(() => new Promise(() => undefined));
  const { channel, heard, sent, take } = open(handler);
  take(INITIALIZE);
  take({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'x' } });
  await vi.waitFor(() => expect(sent.some(({ message }) => message['id'] === 1)).toBe(true));
  await channel.close(100);
  expect(sent.at(-1)).toMatchObject({ method: 'DELETE', headers: { 'mcp-session-id': 's1' } });
  expect(sent.find(({ message }) => message['id'] === 1)?.signal.aborted).toBe(true);
  expect(heard.map(({ id }) => id)).toEqual([0]);
});
