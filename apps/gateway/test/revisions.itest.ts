import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { startGateway, type TestGateway } from './support/gateway.ts';
import { lastMessage } from './support/modern-call.ts';
import { type RawRequest, type RawUpstream, startRawUpstream } from './support/raw-upstream.ts';

let gateway: TestGateway;
let upstream: RawUpstream;

afterEach(async () => {
  await gateway.close();
  await upstream.close();
});

const LEGACY = ['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25'] as const;
const MODERN = '2026-07-28';
const META = { 'io.modelcontextprotocol/protocolVersion': MODERN, 'io.modelcontextprotocol/clientCapabilities': {} };
const NOTHING: Answering = ({ message }) => ({ jsonrpc: '2.0', id: message.id, result: { content: [] } });

type Answering = (request: RawRequest) => unknown;

/** A server that speaks 2025-11-25 at the slug `old`, and one of 2026-07-28 at `new`, with the same answers. */
async function start(answer: Answering = NOTHING): Promise<void> {
  const respond = (request: RawRequest, response: ServerResponse): void => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer(request)));
  };
  upstream = await startRawUpstream(respond);
  gateway = await startGateway({
    servers: [
      { slug: 'old', url: upstream.url, era: 'legacy', tools: ['t'], prompts: ['p'] },
      { slug: 'new', url: upstream.url, era: 'modern', tools: ['t'], prompts: ['p'] },
    ],
  });
}

type Sent = {
  readonly status: number;
  readonly headers: Headers;
  readonly json: { id?: unknown; result?: Record<string, unknown>; error?: { code: number } };
};

async function send(slug: string | null, body: unknown, headers: Record<string, string> = {}): Promise<Sent> {
  const response = await fetch(gateway.url(slug), {
    method: 'POST',
    headers: { authorization: 'Bearer ada', 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers },
    body: JSON.stringify(body),
  });
  return { status: response.status, headers: response.headers, json: (await lastMessage(response)) as Sent['json'] };
}

/** A request of revision 2026-07-28. */
function sendModern(slug: string | null, method: string, params: object = {}): Promise<Sent> {
  const { name } = params as { name?: string };
  return send(
    slug,
    { jsonrpc: '2.0', id: 1, method, params: { ...params, _meta: META } },
    { 'mcp-protocol-version': MODERN, 'mcp-method': method, ...(name === undefined ? {} : { 'mcp-name': name }) },
  );
}

function initialize(slug: string | null, protocolVersion: string): Promise<Sent> {
  const params = { protocolVersion, capabilities: {}, clientInfo: { name: 'c', version: '1' } };
  return send(slug, { jsonrpc: '2.0', id: 0, method: 'initialize', params });
}

const CALL = { jsonrpc: '2.0', id: 7, method: 'tools/call', params: { name: 't', arguments: {} } };
const REVISION_HEADERS = [{}, ...LEGACY.map((version) => ({ 'mcp-protocol-version': version })), { 'mcp-protocol-version': MODERN }];

describe('the versions that an endpoint speaks', () => {
  it('are the gateway’s own, whatever the oldest server behind it speaks (trap 14)', async () => {
    await start();
    for (const slug of ['old', 'new', null]) {
      const { json } = await sendModern(slug, 'server/discover');
      expect(json.result?.['supportedVersions']).toEqual([...LEGACY, MODERN]);
    }
    // The server of the slug `old` answers 2025-11-25 to whatever it is asked for: on its own endpoint that is its client's affair.
    for (const slug of ['new', null])
      for (const version of LEGACY) expect((await initialize(slug, version)).json.result?.['protocolVersion']).toBe(version);
  });
});

describe('a batch', () => {
  it('is refused whichever revision is meant, also the one that had it, and no message of it is executed (trap 19)', async () => {
    await start();
    for (const headers of REVISION_HEADERS)
      for (const batch of [[CALL], [CALL, CALL], []]) {
        const { json, status } = await send('old', batch, headers);
        expect([status, json.error?.code]).toEqual([400, -32600]);
      }
    expect(upstream.seen).toEqual([]);
  });
});

describe('a request that names no version', () => {
  it('is one of 2025-03-26, with a session or without; none is demanded of it (trap 20)', async () => {
    await start();
    expect((await send('old', CALL)).status).toBe(200);
    expect(gateway.calls.at(-1)?.protocolVersion).toBe('2025-03-26');
    expect((await send(null, { jsonrpc: '2.0', id: 1, method: 'ping' })).json.result).toEqual({});
  });

  it('goes by what its session has agreed on, and so does its server (trap 20)', async () => {
    await start();
    const opened = await initialize('old', '2024-11-05');
    // The server chose another than it was asked for.
    expect(opened.json.result?.['protocolVersion']).toBe('2025-11-25');
    const session = opened.headers.get('mcp-session-id') ?? '';
    expect((await send('old', CALL, { 'mcp-session-id': session })).status).toBe(200);
    expect(gateway.calls.at(-1)?.protocolVersion).toBe('2025-11-25');
    const sent = upstream.seen.find(({ message }) => message.method === 'tools/call');
    expect(sent?.headers['mcp-protocol-version']).toBe('2025-11-25');
    expect(upstream.seen[0]?.headers['mcp-protocol-version']).toBeUndefined();
  });
});

describe('404', () => {
  // Guarantee: a client with sessions initialises anew on 404, and one of them in a loop is a storm.
  it('is said to a client with sessions only of a session that is gone; never of a server, tool, prompt or method (trap 21)', async () => {
    await start();
    const session = (await initialize(null, '2025-11-25')).headers.get('mcp-session-id') ?? '';
    const asked: [string | null, object][] = [
      ['no-such-server', CALL],
      ['old', { ...CALL, params: { name: 'nope' } }],
      ['old', { jsonrpc: '2.0', id: 1, method: 'prompts/get', params: { name: 'nope' } }],
      [null, { ...CALL, params: { name: 'nope' } }],
      [null, { jsonrpc: '2.0', id: 1, method: 'no/such/method' }],
      [null, { jsonrpc: '2.0', id: 1, method: 'resources/read', params: { uri: 'nope://x' } }],
    ];
    for (const [slug, body] of asked) {
      expect((await send(slug, body)).status).not.toBe(404);
      if (slug === null) expect((await send(slug, body, { 'mcp-session-id': session })).status).not.toBe(404);
    }
    expect((await send(null, CALL, { 'mcp-session-id': 'made-up' })).status).toBe(404);
  });

  it('is not the answer to a GET that offers no stream, which ends at once (trap 21)', async () => {
    await start();
    const get = await fetch(gateway.url('old'), { headers: { authorization: 'Bearer ada', accept: 'text/event-stream' } });
    expect([get.status, (await get.text()) !== '']).toEqual([405, true]);
    expect(get.headers.get('allow')).toContain('POST');
  });
});

describe('the type of a result', () => {
  const typed =
    (resultType: string | undefined): Answering =>
    ({ message }) => ({ jsonrpc: '2.0', id: message.id, result: { ...(resultType === undefined ? {} : { resultType }), content: [] } });

  it('that is missing is “complete”, and is said to a modern client (trap 15)', async () => {
    await start(typed(undefined));
    expect((await sendModern('old', 'tools/call', { name: 't' })).json.result?.['resultType']).toBe('complete');
  });

  it.each(['later', 'task', 'input_required'])(
    '“%s” of a modern server is never relabelled for a modern client (trap 15)',
    async (resultType) => {
      await start(typed(resultType));
      expect((await sendModern('new', 'tools/call', { name: 't' })).json.result?.['resultType']).toBe(resultType);
    },
  );

  it('that a client with sessions cannot know is refused by name, not passed off as complete (trap 15)', async () => {
    await start(typed('later'));
    const { json } = await send('new', CALL);
    expect(json.result).toMatchObject({
      isError: true,
      _meta: { 'com.patchbay/error': { code: expect.stringMatching(/^upstream\./) as string } },
    });
  });
});
