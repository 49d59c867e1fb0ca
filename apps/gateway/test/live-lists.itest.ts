import { randomUUID } from 'node:crypto';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { listen, type Listening } from '@patchbay/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { memoryBus } from '../src/mailbox/memory-ports.fixture.ts';
import { memoryStore, startGateway, type TestGateway } from './support/gateway.ts';
import { modernInit } from './support/modern-call.ts';
import { type RawUpstream, startRawUpstream } from './support/raw-upstream.ts';
import type { ServerSpec } from './support/snapshot.ts';

let upstream: Listening;
let raw: RawUpstream;
let pods: TestGateway[];
let narrow: TestGateway;

beforeAll(async () => {
  upstream = await startUnlocking();
  raw = await startRawUpstream(({ message: { id } }, response) => {
    const tools = [
      { name: 'mine', inputSchema: { type: 'object' }, x: 1 },
      { name: 'theirs', inputSchema: { type: 'object' } },
      { name: 7 },
      { name: 'shaped', inputSchema: { type: 'object' }, outputSchema: { type: 'array' } },
    ];
    const result = { resultType: 'complete', ttlMs: 0, cacheScope: 'private', tools, nextCursor: '' };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ jsonrpc: '2.0', id, result }));
  });
  const server: ServerSpec = { slug: 'live', id: randomUUID(), url: upstream.url, era: 'legacy', tools: ['unlock'], catalogueMode: 'live' };
  const other: ServerSpec = { slug: 'zoo', id: randomUUID(), url: raw.url, era: 'modern', tools: ['echo'] };
  const [store, bus] = [memoryStore(), memoryBus()];
  const servers = [server, other];
  pods = [await startGateway({ servers, store, bus, pods: 2 }), await startGateway({ servers, store, bus, pods: 2 })];
  narrow = await startGateway({
    servers: [{ slug: 'live', url: raw.url, era: 'modern', tools: ['mine'], catalogueMode: 'live', grantedTools: ['mine', 'shaped'] }],
  });
});

afterAll(async () => {
  await Promise.all([...pods, narrow, upstream, raw].map((each) => each.close()));
});

/** An official server whose tool `unlock` adds the tool `secret`, for its own session only. */
function startUnlocking(): Promise<Listening> {
  const transports = new Map<string, StreamableHTTPServerTransport>();
  return listen((request, response) => {
    const known = transports.get(String(request.headers['mcp-session-id']));
    if (known !== undefined) return void known.handleRequest(request, response);
    const transport: StreamableHTTPServerTransport = new StreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      onsessioninitialized: (id) => void transports.set(id, transport),
    });
    const server = new McpServer({ name: 'unlocking', version: '1' });
    server.registerTool('unlock', {}, () => {
      server.registerTool('secret', {}, () => ({ content: [{ type: 'text', text: 'known' }] }));
      return { content: [] };
    });
    void server.connect(transport).then(() => transport.handleRequest(request, response));
  });
}

/** Every request on another pod than the one before. */
async function connect(slug: string | null = 'live'): Promise<Client> {
  let turn = 0;
  const first = pods[0]?.url(slug) ?? '';
  const fetcher = (input: unknown, init?: RequestInit): Promise<Response> => {
    turn += 1;
    return fetch(String(input).replace(first, pods[turn % 2]?.url(slug) ?? ''), init);
  };
  const client = new Client({ name: 'test', version: '1' });
  await client.connect(new StreamableHTTPClientTransport(new URL(first), { fetch: fetcher }));
  return client;
}

const namesOf = async (client: Client): Promise<string[]> => (await client.listTools()).tools.map(({ name }) => name);

describe('a server that changes its lists for one session only', () => {
  it('is asked for them on the caller’s own session, by whichever pod, and its new tools are called there alone (trap 34)', async () => {
    const [client, other] = [await connect(), await connect()];
    expect(await namesOf(client)).toEqual(['unlock']);
    await client.callTool({ name: 'unlock', arguments: {} });
    expect(await namesOf(client)).toEqual(['unlock', 'secret']);
    expect((await client.callTool({ name: 'secret', arguments: {} })).content).toEqual([{ type: 'text', text: 'known' }]);
    expect(await namesOf(other)).toEqual(['unlock']);
    await client.close();
    await other.close();
  });

  it('says itself, on that session’s stream, that they have changed', async () => {
    const client = await connect();
    let told = 0;
    client.setNotificationHandler(ToolListChangedNotificationSchema, () => void (told += 1));
    // The stream that the client asks for once it has initialised.
    await new Promise((resolve) => setTimeout(resolve, 300));
    await client.callTool({ name: 'unlock', arguments: {} });
    await expect.poll(() => told, { timeout: 5_000 }).toBeGreaterThan(0);
    await client.close();
  });

  it('is listed to a client that cannot take everything without what that would reject, and says so', async () => {
    const server: ServerSpec = { slug: 'live', url: raw.url, era: 'modern', tools: ['mine'], catalogueMode: 'live' };
    const pod = await startGateway({ servers: [{ ...server, clientProfile: { nameLengthMax: 5, toolsMax: 1 } }] });
    const { result } = JSON.parse(await (await fetch(pod.url('live'), modernInit('tools/list'))).text());
    await pod.close();
    expect(result.tools).toEqual([{ name: 'mine', inputSchema: { type: 'object' }, x: 1 }]);
    expect(result._meta).toEqual({
      'com.patchbay/leftOut': { 'name longer than 5': { count: 2, names: ['theirs', 'shaped'] } },
    });
  });

  it('is listed without what the caller may not use, or what cannot be decided on, each entry in its own bytes', async () => {
    const ask = async (era: 'legacy' | 'modern'): Promise<string> => {
      const legacy = {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
      };
      const response = await fetch(narrow.url('live'), era === 'legacy' ? legacy : modernInit('tools/list'));
      return response.text();
    };
    const mine = '{"name":"mine","inputSchema":{"type":"object"},"x":1}';
    expect(await ask('modern')).toContain(
      `"tools":[${mine},{"name":"shaped","inputSchema":{"type":"object"},"outputSchema":{"type":"array"}}],"nextCursor":""`,
    );
    const { result } = JSON.parse(await ask('legacy'));
    // A client of an earlier revision would reject the whole list for an output that is no object.
    expect(result.tools.map(({ outputSchema }: { outputSchema?: { type: string } }) => outputSchema?.type)).toEqual([undefined, 'object']);
  });
});

describe('a server that changes its lists for one session only, together with others', () => {
  it('is asked on the caller’s own session too, its new tools listed and called under names that any pod knows', async () => {
    const [client, other] = [await connect(null), await connect(null)];
    let told = 0;
    client.setNotificationHandler(ToolListChangedNotificationSchema, () => void (told += 1));
    await expect.poll(() => pods.reduce((sum, { streams }) => sum + streams.count(), 0)).toBeGreaterThanOrEqual(2);
    expect(await namesOf(client)).toEqual(['live_unlock', 'zoo_echo']);
    await client.callTool({ name: 'live_unlock', arguments: {} });
    await expect.poll(() => told).toBeGreaterThan(0);
    for (const _pod of pods) {
      expect(await namesOf(client)).toEqual(['live_unlock', 'live_secret', 'zoo_echo']);
      expect((await client.callTool({ name: 'live_secret', arguments: {} })).content).toEqual([{ type: 'text', text: 'known' }]);
    }
    expect(await namesOf(other)).toEqual(['live_unlock', 'zoo_echo']);
    await client.close();
    await other.close();
  });

  it('is listed without what the caller may not use, what is malformed and what could not be called', async () => {
    const response = await fetch(narrow.url(null), modernInit('tools/list'));
    const { result } = (await response.json()) as { result: { tools: { name: string }[]; ttlMs: number } };
    expect(result.tools).toEqual([
      { name: 'live_mine', inputSchema: { type: 'object' }, x: 1 },
      { name: 'live_shaped', inputSchema: { type: 'object' }, outputSchema: { type: 'array' } },
    ]);
    expect(result.ttlMs).toBe(0);
  });

  it('delays the lists of others by no more than a second, and is listed as last known', async () => {
    const silent = await startRawUpstream(() => undefined);
    const gateway = await startGateway({
      servers: [
        { slug: 'live', url: silent.url, era: 'modern', tools: ['known'], catalogueMode: 'live', requestMs: 2_500 },
        { slug: 'zoo', url: raw.url, era: 'modern', tools: ['echo'] },
      ],
    });
    const startedAtMs = performance.now();
    const response = await fetch(gateway.url(null), modernInit('tools/list'));
    const { result } = (await response.json()) as { result: { tools: { name: string }[]; _meta: Record<string, unknown> } };
    expect(performance.now() - startedAtMs).toBeLessThan(2_000);
    // It is not asked again before it has answered, or has had its time.
    await (await fetch(gateway.url(null), modernInit('tools/list'))).text();
    expect(silent.seen).toHaveLength(1);
    expect(result.tools.map(({ name }) => name)).toEqual(['live_known', 'zoo_echo']);
    expect(result._meta['com.patchbay/servers']).toEqual({ live: { status: 'unreachable' } });
    await gateway.close();
    await silent.close();
  });
});
