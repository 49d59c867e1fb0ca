import { once } from 'node:events';
import { type IncomingMessage, request, type ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { startGateway, type TestGateway } from './support/gateway.ts';
import { initialize } from './support/legacy-server.ts';
import type { ServerSpec } from './support/snapshot.ts';
import { type RawRequest, type RawUpstream, startRawUpstream, writeEvents } from './support/raw-upstream.ts';

let upstream: RawUpstream;
let gateway: TestGateway;

afterEach(async () => {
  await gateway.close();
  await upstream.close();
});

async function start(answer: (request: RawRequest, response: ServerResponse) => void, spec: Partial<ServerSpec> = {}): Promise<void> {
  upstream = await startRawUpstream(answer);
  gateway = await startGateway({ servers: [{ slug: 'raw', url: upstream.url, era: 'legacy', tools: ['t'], ...spec }] });
}

const MODERN_META = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': {} };
const HEADERS = { authorization: 'Bearer ada', 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
const MODERN_HEADERS = { ...HEADERS, 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 't' };

function modernBody(params: object = {}, meta: object = {}): string {
  return JSON.stringify({
    jsonrpc: '2.0',
    id: 'mine',
    method: 'tools/call',
    params: { name: 't', arguments: {}, ...params, _meta: { ...MODERN_META, ...meta } },
  });
}

function call(body = modernBody(), headers: Record<string, string> = {}): Promise<Response> {
  return fetch(gateway.url('raw'), { method: 'POST', headers: { ...MODERN_HEADERS, ...headers }, body });
}

const legacySession = (): Promise<string> => initialize(gateway.url('raw'));

const result = (id: unknown, text = 'fine'): object => ({ jsonrpc: '2.0', id, result: { content: [{ type: 'text', text }] } });
const progress = (token: unknown, value: number): object => ({
  jsonrpc: '2.0',
  method: 'notifications/progress',
  params: { progressToken: token, progress: value },
});

function sendJson(response: ServerResponse, body: string): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(body);
}

function tokenOf({ message }: RawRequest): unknown {
  return (message.params?._meta as { progressToken?: unknown } | undefined)?.progressToken;
}

describe('transparency on one server of the same era', () => {
  const odd =
    '{ "jsonrpc":"2.0", "method":"tools/call","id" : 12345678901234, "params":{"name":"t","arguments":{"big":123456789012345678901234567890,"x":1.0},"unknown":{"a":[]},"_meta":{"vendor/key":"é"}}}';

  it('forwards the request and the answer byte for byte, unknown members and large numbers included (trap 16)', async () => {
    const answer =
      '{"id":12345678901234,\n "result":{"content":[],"n":123456789012345678901234567890,"vendor":{"x":1.0}}, "jsonrpc":"2.0"}';
    await start((_request, response) => sendJson(response, answer));
    const session = await legacySession();
    const response = await fetch(gateway.url('raw'), { method: 'POST', headers: { ...HEADERS, 'mcp-session-id': session }, body: odd });
    expect(await response.text()).toBe(answer);
    expect(upstream.seen.at(-1)?.text).toBe(odd);
    expect(upstream.seen.at(-1)?.headers).toMatchObject({ 'mcp-session-id': 'raw-session', 'mcp-protocol-version': '2025-11-25' });
  });

  it('does so between modern sides, with the headers recomputed and Mcp-Param-* passed on', async () => {
    const body = modernBody({ arguments: { region: 'eu' }, inputResponses: { a: 1 }, requestState: 'opaque' });
    await start(
      (_request, response) =>
        sendJson(response, JSON.stringify({ jsonrpc: '2.0', id: 'mine', result: { resultType: 'input_required', requestState: 's' } })),
      { era: 'modern' },
    );
    const response = await call(body, { 'mcp-param-region': 'eu', 'x-forwarded-for': '10.0.0.1' });
    expect(await response.json()).toMatchObject({ result: { resultType: 'input_required', requestState: 's' } });
    expect(upstream.seen[0]?.text).toBe(body);
    expect(upstream.seen[0]?.headers).toMatchObject({
      'mcp-method': 'tools/call',
      'mcp-name': 't',
      'mcp-param-region': 'eu',
      'mcp-protocol-version': '2026-07-28',
    });
    expect(upstream.seen[0]?.headers['x-forwarded-for']).toBeUndefined();
  });

  it('makes a server wait that is faster than the client reads, and loses no byte of many megabytes (trap 11)', async () => {
    const pieces = 64;
    const piece = 'x'.repeat(512 * 1024);
    let piecesTaken = 0;
    await start((_request, response) => void writePieces(response), { era: 'modern', requestMs: 10_000 });
    async function writePieces(response: ServerResponse): Promise<void> {
      response.writeHead(200, { 'content-type': 'application/json' }).write('{"jsonrpc":"2.0","id":"mine","result":{"content":[],"text":"');
      for (; piecesTaken < pieces; piecesTaken += 1) if (!response.write(piece)) await once(response, 'drain');
      response.end('"}}');
    }
    const sent = request(gateway.url('raw'), { method: 'POST', headers: MODERN_HEADERS });
    sent.end(modernBody());
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    await new Promise((resolve) => setTimeout(resolve, 400));
    // What the kernel's buffers hold on two connections, and no more.
    expect(piecesTaken).toBeLessThan(pieces / 2);
    let bytes = 0;
    for await (const chunk of response) bytes += (chunk as Buffer).length;
    expect(bytes).toBe(pieces * piece.length + '{"jsonrpc":"2.0","id":"mine","result":{"content":[],"text":""}}'.length);
  });
});

describe('a bridged call', () => {
  it('strips the modern envelope, keeps foreign keys, and restores id and progress token (trap 9)', async () => {
    await start((received, response) => {
      writeEvents(response, progress(tokenOf(received), 1), progress('of-another', 9), {
        jsonrpc: '2.0',
        method: 'notifications/message',
        params: {},
      });
      writeEvents(response, result(received.message.id));
      response.end();
    });
    const response = await call(
      modernBody(
        {},
        { progressToken: 0, 'vendor/key': 1, traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', baggage: 'a=1' },
      ),
    );
    const events = (await response.text()).split('\n\n').filter((event) => event !== '');
    expect(events).toHaveLength(2);
    expect(events[0]).toContain('"progressToken":0');
    expect(JSON.parse(events[1]?.split('data: ')[1] ?? '')).toMatchObject({ id: 'mine', result: { resultType: 'complete' } });
    expect(events.join('\n')).not.toContain('id: 7');
    const sent = upstream.seen.at(-1);
    expect(Object.keys(sent?.message.params?._meta ?? {})).toEqual(['progressToken', 'vendor/key', 'traceparent', 'baggage']);
    expect(sent?.headers['baggage']).toBeUndefined();
    expect(sent?.message.id).not.toBe('mine');
    expect(sent?.headers['mcp-method']).toBeUndefined();
    expect(response.headers.get('set-cookie')).toBeNull();
    expect(response.headers.get('access-control-allow-origin')).toBeNull();
    expect(response.headers.get('x-accel-buffering')).toBe('no');
  });

  it('cannot ask a client without a session for more, and says so', async () => {
    await start(
      (received, response) =>
        sendJson(
          response,
          JSON.stringify({ jsonrpc: '2.0', id: received.message.id, result: { resultType: 'input_required', requestState: 's' } }),
        ),
      { era: 'modern' },
    );
    const body = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"}}';
    const response = await fetch(gateway.url('raw'), { method: 'POST', headers: HEADERS, body });
    expect(await response.json()).toMatchObject({
      result: { isError: true, _meta: { 'com.patchbay/error': { code: 'upstream.capability_missing' } } },
    });
  });

  it('gives a modern server the envelope and the Mcp-Param-* headers that its tool asks for', async () => {
    await start((received, response) => sendJson(response, JSON.stringify(result(received.message.id))), {
      era: 'modern',
      definitions: {
        t: JSON.stringify({
          name: 't',
          inputSchema: { type: 'object', properties: { region: { type: 'string', 'x-mcp-header': 'Region' } } },
        }),
      },
    });
    const body = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"region":"eu"}}}';
    await fetch(gateway.url('raw'), { method: 'POST', headers: HEADERS, body });
    expect(upstream.seen[0]?.headers).toMatchObject({ 'mcp-param-region': 'eu', 'mcp-name': 't' });
    expect(upstream.seen[0]?.message.params?._meta).toMatchObject(MODERN_META);
  });

  it.each(['legacy', 'modern'] as const)('is refused before a %s server when Mcp-Param-* contradicts the arguments', async (era) => {
    const definition = { name: 't', inputSchema: { type: 'object', properties: { region: { type: 'string', 'x-mcp-header': 'Region' } } } };
    await start((received, response) => sendJson(response, JSON.stringify(result(received.message.id))), {
      era,
      definitions: { t: JSON.stringify(definition) },
    });
    const body = modernBody({ arguments: { region: 'eu' } });
    const refused = await call(body, { 'mcp-param-region': 'us' });
    expect([refused.status, ((await refused.json()) as { error: { code: number } }).error.code]).toEqual([400, -32020]);
    expect(upstream.seen).toEqual([]);
    expect((await call(body, { 'mcp-param-region': 'eu' })).status).toBe(200);
  });

  it('answers a server that pings during a call, and refuses what else it asks', async () => {
    await start((received, response) => {
      writeEvents(
        response,
        { jsonrpc: '2.0', id: 0, method: 'ping' },
        { jsonrpc: '2.0', id: 1, method: 'sampling/createMessage', params: {} },
      );
      setTimeout(() => {
        writeEvents(response, result(received.message.id));
        response.end();
      }, 100);
    });
    expect((await call()).status).toBe(200);
    await expect
      .poll(() =>
        upstream.seen
          .filter(({ message }) => message.method === undefined)
          .map(({ message }) => [message.id, message.result ?? message.error?.code]),
      )
      .toEqual([
        [0, {}],
        [1, -32601],
      ]);
  });
});

describe('a stream that goes wrong', () => {
  it('after the first event ends with an event that answers the request, which the model can read, and the next call works', async () => {
    let calls = 0;
    await start((received, response) => {
      calls += 1;
      if (calls > 1) return sendJson(response, JSON.stringify(result(received.message.id)));
      writeEvents(response, progress(tokenOf(received), 1));
      setTimeout(() => response.destroy(), 50);
    });
    const events = (await (await call(modernBody({}, { progressToken: 'p' }))).text()).split('\n\n').filter((event) => event !== '');
    expect(JSON.parse(events.at(-1)?.split('data: ')[1] ?? '')).toMatchObject({
      id: 'mine',
      result: { isError: true, _meta: { 'com.patchbay/error': { code: 'upstream.broken' } } },
    });
    expect(await (await call()).json()).toMatchObject({ result: { content: [{ text: 'fine' }] } });
  });

  it('in the middle of a large body cuts the connection rather than pretend', async () => {
    await start(
      (_request, response) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        response.write(`{"jsonrpc":"2.0","id":"mine","result":{"content":[{"type":"text","text":"${'x'.repeat(200_000)}`);
        setTimeout(() => response.destroy(), 50);
      },
      { era: 'modern' },
    );
    await expect(call().then((response) => response.text())).rejects.toThrow();
  });

  it.each([
    [
      'headers that are too large',
      (response: ServerResponse) =>
        response.writeHead(200, { 'content-type': 'application/json', 'x-large': 'x'.repeat(100_000) }).end('{}'),
    ],
    [
      'a compressed body',
      (response: ServerResponse) => response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' }).end('{}'),
    ],
    [
      'HTTP 500 and no JSON-RPC',
      (response: ServerResponse) => response.writeHead(500, { 'content-type': 'application/json' }).end('{"oops":1}'),
    ],
    ['an array', (response: ServerResponse) => sendJson(response, '[]')],
  ])('with %s is broken', async (_what, answer) => {
    await start((_request, response) => {
      answer(response);
    });
    expect(await (await call()).json()).toMatchObject({
      result: { isError: true, _meta: { 'com.patchbay/error': { code: 'upstream.broken' } } },
    });
  });

  it('passes a JSON-RPC error on that comes with HTTP 500', async () => {
    await start((received, response) =>
      response
        .writeHead(500, { 'content-type': 'application/json' })
        .end(JSON.stringify({ jsonrpc: '2.0', id: received.message.id, error: { code: -32603, message: 'boom', data: { a: 1 } } })),
    );
    const response = await call();
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ jsonrpc: '2.0', id: 'mine', error: { code: -32603, message: 'boom', data: { a: 1 } } });
  });
});

describe('deadlines and leaving', () => {
  it('progress extends the timeout', async () => {
    await start(
      (received, response) => {
        let value = 0;
        const timer = setInterval(() => {
          value += 1;
          writeEvents(response, value < 8 ? progress(tokenOf(received), value) : result(received.message.id));
          if (value < 8) return;
          clearInterval(timer);
          response.end();
        }, 100);
      },
      { requestMs: 500 },
    );
    expect(await (await call(modernBody({}, { progressToken: 'p' }))).text()).toContain('fine');
  });

  it('a timeout tells the server to stop (trap 10)', async () => {
    await start(() => undefined, { requestMs: 200 });
    expect(await (await call()).json()).toMatchObject({ result: { _meta: { 'com.patchbay/error': { code: 'upstream.timeout' } } } });
    const called = upstream.seen.find(({ message }) => message.method === 'tools/call');
    await expect
      .poll(() => upstream.seen.at(-1)?.message)
      .toMatchObject({ method: 'notifications/cancelled', params: { requestId: called?.message.id } });
  });

  it('a modern client that leaves cancels at a legacy server by its own id (trap 10)', async () => {
    await start(() => undefined);
    const controller = new AbortController();
    const waiting = fetch(gateway.url('raw'), {
      method: 'POST',
      headers: MODERN_HEADERS,
      body: modernBody(),
      signal: controller.signal,
    }).catch(() => 'left');
    await expect.poll(() => upstream.seen.some(({ message }) => message.method === 'tools/call')).toBe(true);
    controller.abort();
    expect(await waiting).toBe('left');
    const called = upstream.seen.find(({ message }) => message.method === 'tools/call');
    await expect
      .poll(() => upstream.seen.at(-1)?.message)
      .toMatchObject({ method: 'notifications/cancelled', params: { requestId: called?.message.id } });
    expect(gateway.outcomes.at(-1)).toBe('cancelled');
  });

  it('a modern client that leaves closes the stream at a modern server (trap 10)', async () => {
    let closed = false;
    await start((_request, response) => void response.on('close', () => (closed = true)), { era: 'modern' });
    const controller = new AbortController();
    void fetch(gateway.url('raw'), { method: 'POST', headers: MODERN_HEADERS, body: modernBody(), signal: controller.signal }).catch(
      () => undefined,
    );
    await expect.poll(() => upstream.seen.length).toBe(1);
    controller.abort();
    await expect.poll(() => closed).toBe(true);
    expect(upstream.seen).toHaveLength(1);
  });

  it('a legacy client that leaves does not cancel (trap 10)', async () => {
    let finished = false;
    await start((received, response) => {
      setTimeout(() => {
        sendJson(response, JSON.stringify(result(received.message.id)));
        finished = !response.destroyed;
      }, 300);
    });
    const session = await legacySession();
    const controller = new AbortController();
    const body = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"}}';
    void fetch(gateway.url('raw'), {
      method: 'POST',
      headers: { ...HEADERS, 'mcp-session-id': session },
      body,
      signal: controller.signal,
    }).catch(() => undefined);
    await expect.poll(() => upstream.seen.some(({ message }) => message.method === 'tools/call')).toBe(true);
    controller.abort();
    await expect.poll(() => finished).toBe(true);
    await expect.poll(() => gateway.outcomes.at(-1)).toBe('ok');
    expect(upstream.seen.some(({ message }) => message.method === 'notifications/cancelled')).toBe(false);
  });
});
