import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import {
  type ClientCapabilities,
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  EmptyResultSchema,
  ListRootsRequestSchema,
  LoggingMessageNotificationSchema,
  ResourceUpdatedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AskingUpstream, startAskingUpstream } from './support/asking-upstream.ts';
import { initialize } from './support/legacy-server.ts';
import { type Pods, startPods } from './support/pods.ts';
import { startRawUpstream, writeEvents } from './support/raw-upstream.ts';

const TOOLS = ['ask', 'ask_twice', 'ask_three', 'progress_and_ask', 'falls_back', 'log', 'cut', 'link', 'touch', 'phish'];
const EVERYTHING: ClientCapabilities = { elicitation: { form: {} }, sampling: {}, roots: { listChanged: true } };
const HEADERS = {
  authorization: 'Bearer ada',
  accept: 'application/json, text/event-stream',
  'content-type': 'application/json',
  'mcp-protocol-version': '2025-11-25',
};

let upstream: AskingUpstream;
let gateways: Pods;
const clients: Client[] = [];

beforeEach(() => start(true));

afterEach(stop);

async function start(isNumbered: boolean): Promise<void> {
  upstream = await startAskingUpstream({ isNumbered });
  const id = '6f5c1a52-0c8e-4a35-9d0f-6f5a2f3b7c11';
  const server = { id, slug: 'old', url: upstream.url, era: 'legacy', tools: TOOLS, capabilities: { logging: {} } } as const;
  gateways = await startPods({ servers: [server] });
}

async function stop(): Promise<void> {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await gateways.close();
  await upstream.close();
}

const urlOf = (slug: string | null): URL => new URL(gateways.pods[0]?.url(slug) ?? '');

/** A client of revision 2025-11-25 on the official SDK, each of whose requests another pod gets. */
async function connect(
  slug: string | null,
  capabilities = EVERYTHING,
): Promise<{ client: Client; asked: string[]; tools: Record<string, string> }> {
  const client = new Client({ name: 'asked', version: '7' }, { capabilities });
  const asked: string[] = [];
  if (capabilities.elicitation !== undefined)
    client.setRequestHandler(ElicitRequestSchema, ({ params }) => {
      asked.push(params.message);
      return { action: 'accept', content: { name: `Ada ${asked.length}` } };
    });
  if (capabilities.sampling !== undefined)
    client.setRequestHandler(CreateMessageRequestSchema, () => ({
      role: 'assistant',
      model: 'm',
      content: { type: 'text', text: 'Hello' },
    }));
  if (capabilities.roots !== undefined) client.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: 'file:///here' }] }));
  const transport = new StreamableHTTPClientTransport(urlOf(slug), {
    fetch: gateways.fetch,
    requestInit: { headers: { authorization: 'Bearer ada' } },
  });
  await client.connect(transport);
  clients.push(client);
  const tools = Object.fromEntries(TOOLS.map((name) => [name, slug === null ? `old_${name}` : name]));
  return { client, asked, tools };
}

async function textOf(client: Client, name: string | undefined): Promise<string> {
  const { content } = await client.callTool({ name: name ?? '' });
  return (content as { text: string }[])[0]?.text ?? '';
}

describe.each([
  ['its own endpoint', 'old'],
  ['the aggregated endpoint', null],
] as const)('a legacy server, at %s', (_where, slug) => {
  const wording = (words: string): string => (slug === null ? `Server "old" asks: ${words}` : words);

  it('asks its client on the stream of the call, and gets the answer from another pod', async () => {
    const { asked, client, tools } = await connect(slug);
    expect(await textOf(client, tools['ask'])).toBe('Hello Ada 1');
    expect(asked).toEqual([wording('Your name?')]);
    expect(upstream.executed.get('ask')).toBe(1);
  });

  it('asks twice, and several things at once', async () => {
    const { asked, client, tools } = await connect(slug);
    expect(await textOf(client, tools['ask_twice'])).toBe('Ada 1 Ada 2');
    expect(asked).toEqual(['First name?', 'Last name?'].map(wording));
    expect(await textOf(client, tools['ask_three'])).toBe('Hello Ada 3 of file:///here');
  });

  it('is opened with what the client declared, and no more', async () => {
    const { client, tools } = await connect(slug, { roots: {} });
    expect(await textOf(client, tools['falls_back'])).toBe('without a name');
    expect(upstream.opened).toEqual([{ roots: {} }]);
    expect(upstream.seen[0]?.body).toContain('"clientInfo":{"name":"asked","version":"7"}');
  });

  it('is opened again with the same when it has lost the session, and the call executed once', async () => {
    const { client, tools } = await connect(slug);
    await textOf(client, tools['log']);
    upstream.forgetSessions();
    expect(await textOf(client, tools['ask'])).toBe('Hello Ada 1');
    expect(upstream.opened.at(-1)).toEqual(EVERYTHING);
    expect(upstream.opened).toHaveLength(2);
    expect(upstream.executed.get('ask')).toBe(1);
  });

  it('reports progress to the token of the client, before and after it asks', async () => {
    const { client, tools } = await connect(slug);
    const progress: number[] = [];
    await client.callTool({ name: tools['progress_and_ask'] ?? '' }, undefined, { onprogress: (each) => progress.push(each.progress) });
    expect(progress).toEqual([1, 2]);
  });

  it('is told that the roots have changed', async () => {
    const { client, tools } = await connect(slug);
    await textOf(client, tools['log']);
    await client.sendRootsListChanged();
    await expect.poll(() => upstream.seen.some(({ body }) => body.includes('notifications/roots/list_changed'))).toBe(true);
  });

  it('cannot send its user to a page of ours', async () => {
    const { asked, client, tools } = await connect(slug, { elicitation: { form: {}, url: {} } });
    expect(await textOf(client, tools['phish'])).toBe('refused');
    expect(asked).toEqual([]);
  });

  it('is told the log level that its client sets, and again when it has lost the session', async () => {
    const { client, tools } = await connect(slug);
    expect(client.getServerCapabilities()).toMatchObject({ logging: {} });
    const logged: unknown[] = [];
    client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => void logged.push(params.data));
    if (slug === null) await textOf(client, tools['log']);
    await client.setLoggingLevel('warning');
    await client.setLoggingLevel('error');
    expect(upstream.levels).toEqual(['warning', 'error']);
    upstream.forgetSessions();
    await textOf(client, tools['log']);
    expect(upstream.levels).toEqual(['warning', 'error', 'error']);
    expect(logged).toContain('logged');
    await expect(client.request({ method: 'logging/setLevel', params: { level: 'loud' } }, EmptyResultSchema)).rejects.toThrow(
      /-32602|level/,
    );
  });

  it('cuts the stream of a call, which is resumed on another pod, and the tool has run once', async () => {
    const { client, tools } = await connect(slug);
    expect(await textOf(client, tools['cut'])).toBe('after the cut');
    expect(upstream.executed.get('cut')).toBe(1);
    expect(upstream.seen.some(({ lastEventId }) => /^\d+$/.test(lastEventId ?? ''))).toBe(true);
  });

  it('asks without numbered events just as well', async () => {
    await stop();
    await start(false);
    const { client, tools } = await connect(slug);
    expect(await textOf(client, tools['ask_twice'])).toBe('Ada 1 Ada 2');
  });
});

type Sent = { readonly session: string; readonly name: string };

function post(pod: number, session: string, body: object, signal?: AbortSignal): Promise<Response> {
  const headers = { ...HEADERS, 'mcp-session-id': session };
  return fetch(gateways.pods[pod]?.url('old') ?? '', { method: 'POST', headers, body: JSON.stringify(body), signal: signal ?? null });
}

async function open(): Promise<string> {
  const session = await initialize(urlOf('old'), { capabilities: EVERYTHING });
  await post(1, session, { jsonrpc: '2.0', method: 'notifications/initialized' });
  return session;
}

const call = ({ name, session }: Sent, pod = 0, signal?: AbortSignal): Promise<Response> =>
  post(pod, session, { jsonrpc: '2.0', id: 0, method: 'tools/call', params: { name, arguments: {} } }, signal);

/** What came until `until` did; the rest is left in the stream. */
async function readUntil(response: Response, until: string): Promise<string> {
  const reader = response.body?.getReader();
  let text = '';
  while (!text.includes(until)) {
    const read = await reader?.read();
    if (read === undefined || read.done) break;
    text += Buffer.from(read.value).toString();
  }
  return text;
}

const idsOf = (text: string): string[] => [...text.matchAll(/^id: (.*)$/gm)].map(([, id]) => id ?? '');

describe("the stream of a call on a legacy server's own endpoint", () => {
  it("begins with the server's own position and retry, and every event keeps its number", async () => {
    const text = await (await call({ session: await open(), name: 'log' })).text();
    const [first, , last] = text.split('\n\n');
    expect(first).toMatch(/^id: \d+\nretry: 50\ndata: $/);
    expect(last).toMatch(/^event: message\nid: \d+\ndata: \{"result"/);
    expect(idsOf(text)).toHaveLength(3);
  });

  it('is resumed on another pod by a client that lost it while it was asked', async () => {
    const session = await open();
    const leave = new AbortController();
    const text = await readUntil(await call({ session, name: 'ask' }, 0, leave.signal), 'elicitation/create');
    leave.abort();
    const [, id] = /"id":(\d+|"[^"]*")/.exec(text.split('data: ').find((event) => event.includes('elicitation/create')) ?? '') ?? [];
    const headers = { ...HEADERS, accept: 'text/event-stream', 'mcp-session-id': session, 'last-event-id': idsOf(text).at(-1) ?? '' };
    const resume = (): Promise<Response> => fetch(gateways.pods[1]?.url('old') ?? '', { headers });
    let resumed = await resume();
    // The server notices that the old connection is gone a moment later.
    for (let attempt = 0; resumed.status === 409 && attempt < 20; attempt += 1) resumed = await resume();
    expect(resumed.status).toBe(200);
    await post(2, session, { jsonrpc: '2.0', id: JSON.parse(id ?? ''), result: { action: 'accept', content: { name: 'Grace' } } });
    expect(await readUntil(resumed, 'Hello')).toContain('Hello Grace');
    expect(upstream.executed.get('ask')).toBe(1);
    await resumed.body?.cancel().catch(() => undefined);
  });
});

describe('a position in the stream of an aggregated session', () => {
  it.each(['other:1', ':1', 'old', '1'])('that names no server (%s) is refused', async (lastEventId) => {
    const session = await initialize(urlOf(null));
    const headers = { ...HEADERS, accept: 'text/event-stream', 'mcp-session-id': session, 'last-event-id': lastEventId };
    expect((await fetch(urlOf(null), { headers })).status).toBe(400);
  });
});

describe('a subscription', () => {
  it("is the server's to take, is told of on the client's own stream, and is made again when the server has lost the session", async () => {
    const { client, tools } = await connect('old');
    expect(client.getServerCapabilities()?.resources).toEqual({ subscribe: true, listChanged: true });
    const updated: string[] = [];
    client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => void updated.push(params.uri));
    for (const uri of ['note://one', 'note://two', 'note://three']) await client.subscribeResource({ uri });
    await client.unsubscribeResource({ uri: 'note://two' });
    await textOf(client, tools['touch']);
    await expect.poll(() => updated).toEqual(['note://one']);
    upstream.forgetSessions();
    await textOf(client, tools['log']);
    const made = ['+note://one', '+note://two', '+note://three', '-note://two'];
    expect(upstream.subscriptions.slice(0, 4)).toEqual(made);
    expect(upstream.subscriptions.slice(4).toSorted()).toEqual(['+note://one', '+note://three']);
  });

  it('is nowhere told of without a session, and so not taken', async () => {
    const body = '{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"note://one"}}';
    const response = await fetch(urlOf('old'), { method: 'POST', headers: HEADERS, body });
    expect(await response.json()).toMatchObject({ error: { code: -32601 } });
    expect(upstream.subscriptions).toEqual([]);
  });
});

describe('what a client changed in its session', () => {
  it('lies in the store where nobody can read it', async () => {
    const { client } = await connect('old');
    await client.setLoggingLevel('error');
    await client.subscribeResource({ uri: 'note://secret' });
    const stored = [...gateways.store.values].flat().join(' ');
    expect(stored).toContain('session-state/');
    expect(stored).not.toMatch(/note:|error/);
  });
});

describe('a response of a client', () => {
  it('does not reach a session of somebody else', async () => {
    const session = await open();
    const before = upstream.seen.length;
    const headers = { ...HEADERS, authorization: 'Bearer bob', 'mcp-session-id': session };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 0, result: {} });
    expect((await fetch(urlOf('old'), { method: 'POST', headers, body })).status).toBe(404);
    expect(upstream.seen).toHaveLength(before);
  });

  it('that its server cannot be given is refused, for somebody waits for it', async () => {
    const session = await open();
    await upstream.close();
    expect((await post(1, session, { jsonrpc: '2.0', id: 0, result: {} })).status).toBe(502);
    expect((await post(1, session, { jsonrpc: '2.0', method: 'notifications/roots/list_changed' })).status).toBe(202);
  });
});

describe('the log level of a session', () => {
  it('goes to a server of revision 2026-07-28 with each request, from any pod, and its log messages come back', async () => {
    const modern = await startRawUpstream((received, response) => {
      writeEvents(response, { jsonrpc: '2.0', method: 'notifications/message', params: { level: 'error', data: 'said' } });
      writeEvents(response, { jsonrpc: '2.0', id: received.message.id, result: { resultType: 'complete', content: [] } });
      response.end();
    });
    const id = '6f5c1a52-0c8e-4a35-9d0f-6f5a2f3b7c12';
    const pods = await startPods({
      servers: [{ id, slug: 'old', url: modern.url, era: 'modern', tools: ['t'], capabilities: { logging: {} } }],
    });
    const url = pods.pods[0]?.url(null) ?? '';
    const send = (body: object, session = ''): Promise<Response> =>
      pods.fetch(url, {
        method: 'POST',
        headers: { ...HEADERS, ...(session === '' ? {} : { 'mcp-session-id': session }) },
        body: JSON.stringify(body),
      });
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } };
    const opened = await send({ jsonrpc: '2.0', id: 0, method: 'initialize', params });
    const session = opened.headers.get('mcp-session-id') ?? '';
    expect(await opened.json()).toMatchObject({ result: { capabilities: { logging: {} } } });
    const levelsSent = (): unknown[] =>
      modern.seen.map(({ message }) => (message.params as { _meta: Record<string, unknown> })._meta['io.modelcontextprotocol/logLevel']);
    const callTool = async (): Promise<string> =>
      (await send({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'old_t' } }, session)).text();
    expect(await callTool()).not.toContain('said');
    for (const level of ['error', 'debug']) {
      expect(await (await send({ jsonrpc: '2.0', id: 2, method: 'logging/setLevel', params: { level } }, session)).json()).toMatchObject({
        result: {},
      });
      for (const _pod of pods.pods) expect(await callTool()).toContain('said');
    }
    expect(levelsSent()).toEqual([undefined, 'error', 'error', 'error', 'debug', 'debug', 'debug']);
    await pods.close();
    await modern.close();
  });
});

describe('an answer of ours', () => {
  it('comes as the first event of a stream to a client that names streams first, else as JSON', async () => {
    const session = await open();
    const list = (accept: string): Promise<Response> =>
      fetch(urlOf('old'), {
        method: 'POST',
        headers: { ...HEADERS, accept, 'mcp-session-id': session },
        body: '{"jsonrpc":"2.0","id":5,"method":"tools/list"}',
      });
    expect(await (await list('text/event-stream, application/json')).text()).toMatch(
      /^event: message\ndata: \{"jsonrpc":"2.0","id":5,"result":.*\}\n\n$/,
    );
    expect((await list('application/json, text/event-stream')).headers.get('content-type')).toBe('application/json');
  });
});
