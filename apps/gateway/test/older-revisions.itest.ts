import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startGateway, type TestGateway } from './support/gateway.ts';
import { initialize } from './support/legacy-server.ts';
import { type RawUpstream, startRawUpstream } from './support/raw-upstream.ts';

const AUDIO = { type: 'audio', mimeType: 'audio/wav', data: 'UklGRg==' };
const LINK = { type: 'resource_link', uri: 'file:///a', name: 'a' };
const RESULTS: Readonly<Record<string, object>> = {
  media: { content: [AUDIO, LINK] },
  numbers: { content: [], structuredContent: [1, 2] },
  either: { content: [], structuredContent: { a: 1 } },
  plain: { content: [], structuredContent: { a: 1 } },
};
const DEFINITIONS = {
  numbers: { name: 'numbers', inputSchema: { type: 'object' }, outputSchema: { type: 'array', items: { type: 'number' } } },
  either: { name: 'either', inputSchema: { type: 'object' }, outputSchema: { anyOf: [{ type: 'object' }, { type: 'null' }] } },
  plain: { name: 'plain', inputSchema: { type: 'object' }, outputSchema: { type: 'object', properties: { a: { type: 'number' } } } },
};

let upstream: RawUpstream;
let modern: RawUpstream;
let gateway: TestGateway;

beforeEach(async () => {
  const answer: Parameters<typeof startRawUpstream>[0] = ({ message }, response) => {
    const result = { resultType: 'complete', ...RESULTS[String(message.params?.['name'])] };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ jsonrpc: '2.0', id: message.id, result }));
  };
  upstream = await startRawUpstream(answer);
  modern = await startRawUpstream(answer);
  modern.keepsSessions = false;
  const tools = Object.keys(RESULTS);
  const definitions = Object.fromEntries(Object.entries(DEFINITIONS).map(([name, definition]) => [name, JSON.stringify(definition)]));
  gateway = await startGateway({
    servers: [
      { slug: 'new', url: modern.url, era: 'modern', tools, definitions },
      { slug: 'old', url: upstream.url, era: 'legacy', tools: ['media'] },
    ],
  });
});

afterEach(async () => {
  await gateway.close();
  await upstream.close();
  await modern.close();
});

const HEADERS = { authorization: 'Bearer ada', 'content-type': 'application/json', accept: 'application/json, text/event-stream' };

async function session(slug: string | null, protocolVersion: string): Promise<(name: string) => Promise<unknown>> {
  const post = (body: object, headers: object = {}): Promise<Response> =>
    fetch(gateway.url(slug), { method: 'POST', headers: { ...HEADERS, ...headers }, body: JSON.stringify(body) });
  const id = await initialize(gateway.url(slug), { protocolVersion });
  return async (name) => {
    const response = await post({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name } }, { 'mcp-session-id': id });
    return ((await response.json()) as { result: unknown }).result;
  };
}

const EMBEDDED = { type: 'resource', resource: { uri: 'urn:patchbay:audio:0', mimeType: 'audio/wav', blob: 'UklGRg==' } };
const NAMED = { type: 'text', text: 'Resource file:///a (a)' };

describe('what a client’s revision cannot parse', () => {
  it.each([
    ['2024-11-05', [EMBEDDED, NAMED]],
    ['2025-03-26', [AUDIO, NAMED]],
    ['2025-06-18', [AUDIO, LINK]],
    ['2025-11-25', [AUDIO, LINK]],
  ])('is turned into what it can: content for %s', async (protocolVersion, content) => {
    expect(await (await session('new', protocolVersion))('media')).toMatchObject({ content });
  });

  it('is turned into what it can at the aggregated endpoint too, where a server of the same era did not negotiate with the client', async () => {
    expect(await (await session(null, '2024-11-05'))('old_media')).toMatchObject({
      content: [EMBEDDED, { type: 'text', text: 'Resource patchbay+old+file:///a (a)' }],
    });
  });

  it('at a server’s own endpoint is what the two agreed on, and passes', async () => {
    expect(await (await session('old', '2024-11-05'))('media')).toMatchObject({ content: [AUDIO, LINK] });
  });

  it('never costs the official client a list or an answer: outputs that are no objects become objects, in both alike', async () => {
    const client = new Client({ name: 'official', version: '1' });
    await client.connect(new StreamableHTTPClientTransport(new URL(gateway.url('new')), { requestInit: { headers: HEADERS } }));
    // It validates what is structured against what was listed.
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toEqual(Object.keys(RESULTS));
    expect(await client.callTool({ name: 'numbers' })).toMatchObject({ structuredContent: { result: [1, 2] } });
    expect(await client.callTool({ name: 'either' })).toMatchObject({ structuredContent: { result: { a: 1 } } });
    expect(await client.callTool({ name: 'plain' })).toMatchObject({ structuredContent: { a: 1 } });
    await client.close();
  });
});
