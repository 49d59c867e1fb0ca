import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { type LegacyUpstream, type ModernUpstream, startLegacyUpstream, startModernUpstream } from '@patchbay/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { memoryStore, startGateway, type TestGateway } from './support/gateway.ts';
import { modernInit } from './support/modern-call.ts';
import type { ServerSpec } from './support/snapshot.ts';
import { type RawRequest, type RawUpstream, startRawUpstream, writeEvents } from './support/raw-upstream.ts';

const APP_TOOL = '{"name":"board","inputSchema":{"type":"object"},"_meta":{"ui":{"resourceUri":"ui://board","csp":{"a":1}},"x":2}}';

let legacy: LegacyUpstream;
let modern: ModernUpstream;
let raw: RawUpstream;
let pods: TestGateway[];

beforeAll(async () => {
  legacy = await startLegacyUpstream();
  modern = await startModernUpstream();
  raw = await startRawUpstream(answerRaw);
  const store = memoryStore();
  const servers: ServerSpec[] = [
    {
      slug: 'new',
      id: '00000000-0000-4000-8000-000000000001',
      url: modern.url,
      era: 'modern',
      tools: ['echo'],
      resources: ['note://modern'],
    },
    {
      slug: 'old',
      id: '00000000-0000-4000-8000-000000000002',
      url: legacy.url,
      era: 'legacy',
      tools: ['echo'],
      prompts: ['greet'],
      resources: ['note://one'],
      templates: ['file:///{+path}'],
    },
    {
      slug: 'raw',
      id: '00000000-0000-4000-8000-000000000003',
      url: raw.url,
      era: 'modern',
      tools: ['board'],
      definitions: { board: APP_TOOL },
      resources: ['ui://board', 'https://example.org/a', 'note://one'],
      templates: ['raw://{id}'],
    },
  ];
  pods = [await startGateway({ servers, store }), await startGateway({ servers, store })];
});

afterAll(async () => {
  await Promise.all([...pods, legacy, modern, raw].map((each) => each.close()));
});

/** Every request on another pod than the one before. */
function takingTurns(slug: string | null): { url: URL; fetch: (input: unknown, init?: RequestInit) => Promise<Response> } {
  let turn = 0;
  const take = (input: unknown, init?: RequestInit): Promise<Response> => {
    turn += 1;
    return fetch(String(input).replace(pods[0]?.url(slug) ?? '', pods[turn % pods.length]?.url(slug) ?? ''), init);
  };
  return { url: new URL(pods[0]?.url(slug) ?? ''), fetch: take };
}

async function connect(era: 'legacy' | 'modern'): Promise<ModernClient> {
  const { url, fetch: fetcher } = takingTurns(null);
  if (era === 'legacy') {
    const client = new Client({ name: 'test', version: '1' });
    await client.connect(new StreamableHTTPClientTransport(url, { fetch: fetcher }));
    return client as unknown as ModernClient;
  }
  const client = new ModernClient({ name: 'test', version: '1' }, { versionNegotiation: { mode: { pin: '2026-07-28' } } });
  await client.connect(new ModernTransport(url, { fetch: fetcher }));
  return client;
}

/** What the raw server answers holds each place where a URI of its own may stand, and some where text only looks like one. */
function answerRaw({ message }: RawRequest, response: Parameters<Parameters<typeof startRawUpstream>[0]>[1]): void {
  const { id, method, params } = message;
  if (method === 'resources/read') {
    const uri = String(params?.['uri']);
    if (uri === 'raw://missing')
      return (
        writeEvents(response, { jsonrpc: '2.0', id, error: { code: -32602, message: 'no such', data: { uri } } }), void response.end()
      );
    const contents = [{ uri, mimeType: 'text/html;profile=mcp-app', text: 'x', _meta: { ui: { csp: { connectDomains: ['https://a'] } } } }];
    const result = { resultType: 'complete', ttlMs: 5, cacheScope: 'public', contents };
    return (writeEvents(response, { jsonrpc: '2.0', id, result }), void response.end());
  }
  const content = [
    { type: 'resource_link', uri: 'raw://1', name: 'one' },
    { type: 'resource', resource: { uri: 'raw://2', text: 'uri" raw://2' } },
    { type: 'resource_link', uri: 'https://example.org/a', name: 'web' },
    { type: 'later', uri: 'raw://3', more: { uri: 'raw://data' } },
  ];
  const structuredContent = { uri: 'raw://data', content: [{ uri: 'raw://data' }] };
  const updated = { jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri: 'raw://1' } };
  writeEvents(response, updated, { jsonrpc: '2.0', id, result: { resultType: 'complete', content, structuredContent } });
  response.end();
}

async function rpc(method: string, params: Record<string, unknown>, headers: Record<string, string> = {}): Promise<string> {
  return (await fetch(pods[0]?.url(null) ?? '', modernInit(method, params, { headers }))).text();
}

describe.each(['legacy', 'modern'] as const)(
  'resources of several servers, for a %s client whose requests take turns on two pods',
  (era) => {
    it('are listed under URIs that name their server, and read by them', async () => {
      const client = await connect(era);
      expect((await client.listResources()).resources.map(({ uri }) => uri)).toEqual([
        'patchbay+new+note://modern',
        'patchbay+old+note://one',
        'ui://raw/board',
        'https://example.org/a',
        'patchbay+raw+note://one',
      ]);
      const read = await client.readResource({ uri: 'patchbay+old+note://one' });
      expect(read.contents).toEqual([{ uri: 'patchbay+old+note://one', text: 'first note' }]);
      expect((await client.readResource({ uri: 'patchbay+new+note://modern' })).contents).toMatchObject([{ text: 'modern note' }]);
      await client.close();
    });

    it('are read by a template that expands to what its original would have expanded to (trap 29)', async () => {
      const client = await connect(era);
      const [template] = (await client.listResourceTemplates()).resourceTemplates.map(({ uriTemplate }) => uriTemplate);
      expect(template).toBe('patchbay+old+file:///{+path}');
      const uri = template?.replace('{+path}', 'a/%20b+c') ?? '';
      expect((await client.readResource({ uri })).contents).toEqual([{ uri, text: 'file /a/%20b+c' }]);
      // Nobody lists it, and one server has a template for it.
      expect((await client.readResource({ uri: 'file:///a' })).contents).toEqual([{ uri: 'file:///a', text: 'file /a' }]);
      await client.close();
    });

    it('with a bare URI of one server are its; of several are nobody’s, and all are named', async () => {
      const client = await connect(era);
      expect((await client.readResource({ uri: 'note://modern' })).contents).toMatchObject([{ uri: 'note://modern', text: 'modern note' }]);
      await expect(client.readResource({ uri: 'note://one' })).rejects.toThrow(/patchbay\+old\+note:\/\/one.*patchbay\+raw\+note:\/\/one/);
      await client.close();
    });

    it('complete under the names that the endpoint lists, templates by their strings (trap 30)', async () => {
      const client = await connect(era);
      const argument = { name: 'name', value: 'a' };
      for (const name of ['old_greet', 'greet']) {
        const { completion } = await client.complete({ ref: { type: 'ref/prompt', name }, argument });
        expect(completion.values).toEqual(['ada', 'alan']);
      }
      const ref = { type: 'ref/resource', uri: 'patchbay+old+file:///{+path}' } as const;
      // This server completes nothing for its template, but it knows which one is meant.
      expect((await client.complete({ ref, argument: { name: 'path', value: '' } })).completion.values).toEqual([]);
      await expect(client.complete({ ref: { ...ref, uri: 'file:///{+other}' }, argument })).rejects.toThrow(/Unknown completion/);
      await client.close();
    });

    it('that are missing are told by the code of the client’s revision, with the URI that was asked for', async () => {
      const client = await connect(era);
      const code = era === 'legacy' ? -32002 : -32602;
      for (const uri of ['patchbay+nobody+note://one', 'nowhere://1', 'patchbay+raw+raw://missing'])
        await expect(client.readResource({ uri })).rejects.toMatchObject({ code, data: { uri } });
      await client.close();
    });
  },
);

describe('renames on the aggregated endpoint', () => {
  it('reach every place where a server names a URI of its own, and no data (trap 5)', async () => {
    const headers = { 'mcp-name': 'raw_board' };
    const said = await rpc('tools/call', { name: 'raw_board', arguments: { uri: 'raw://1' } }, headers);
    const [updated, answer] = said.split('\n').flatMap((line) => (line.startsWith('data: ') ? [JSON.parse(line.slice(6))] : []));
    expect(updated.params.uri).toBe('patchbay+raw+raw://1');
    expect(answer.result).toEqual({
      resultType: 'complete',
      content: [
        { type: 'resource_link', uri: 'patchbay+raw+raw://1', name: 'one' },
        { type: 'resource', resource: { uri: 'patchbay+raw+raw://2', text: 'uri" raw://2' } },
        { type: 'resource_link', uri: 'https://example.org/a', name: 'web' },
        { type: 'later', uri: 'patchbay+raw+raw://3', more: { uri: 'raw://data' } },
      ],
      structuredContent: { uri: 'raw://data', content: [{ uri: 'raw://data' }] },
    });
    expect(raw.seen.at(-1)?.message.params?.['arguments']).toEqual({ uri: 'raw://1' });
    expect(raw.seen.at(-1)?.headers['mcp-name']).toBe('board');
  });

  it('keep a tool’s page with its tool: listed, read and sent upstream under the server’s own URI (trap 4)', async () => {
    const { result } = JSON.parse(await rpc('tools/list', {}));
    const board = result.tools.find(({ name }: { name: string }) => name === 'raw_board');
    expect(board._meta).toEqual({ ui: { resourceUri: 'ui://raw/board', csp: { a: 1 } }, x: 2 });
    const said = await rpc('resources/read', { uri: 'ui://raw/board' }, { 'mcp-name': 'ui://raw/board' });
    expect(said).toContain('"contents":[{"uri":"ui://raw/board"');
    expect(said).toContain('"csp":{"connectDomains":["https://a"]}');
    expect(raw.seen.at(-1)).toMatchObject({ headers: { 'mcp-name': 'ui://board' }, message: { params: { uri: 'ui://board' } } });
  });

  it('leave a URI of the web as it is, which its one owner is asked for', async () => {
    const said = await rpc('resources/read', { uri: 'https://example.org/a' }, { 'mcp-name': 'https://example.org/a' });
    expect(said).toContain('"uri":"https://example.org/a"');
    expect(raw.seen.at(-1)?.message.params?.['uri']).toBe('https://example.org/a');
  });

  it('never come from a completion reference that two readers could take for different ones (trap 33)', async () => {
    const ref = '{"type":"ref/prompt","name":"old_greet","name":"raw_secret"}';
    const body = JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'completion/complete',
      params: { ref: 0, argument: { name: 'a', value: '' } },
    });
    const response = await fetch(pods[0]?.url(null) ?? '', {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
      body: body.replace('"ref":0', `"ref":${ref}`),
    });
    expect(await response.json()).toMatchObject({ error: { code: -32600, data: { code: 'rpc.ambiguous' } } });
  });
});
