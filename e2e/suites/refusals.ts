import { connect as dial } from 'node:net';
import { startHostileUpstream } from '@patchbay/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { StartPlatform, TestPlatform } from '../support/test-platform.ts';
import { callModern, modern, parse, post } from '../support/raw.ts';

/** Whatever is wrong with a caller, a message, an upstream or a registration: a right answer, in time, that tells strangers nothing. */
export function refusals(start: StartPlatform): void {
  let platform: TestPlatform;
  let hostile: Awaited<ReturnType<typeof startHostileUpstream>>;
  let token: string;
  let url: string;

  beforeAll(async () => {
    [platform, hostile] = await Promise.all([start({ PATCHBAY_BODY_LIMIT_BYTES: String(1024 * 1024) }), startHostileUpstream()]);
    ({ token } = platform.facts);
    url = platform.mcpUrl('everything');
    await platform.register('hostile', hostile.url, { timeouts: { connectMs: 1000, requestMs: 1000 } });
  });

  afterAll(async () => {
    await Promise.all([platform.dispose(), hostile.close()]);
  });

  const LIST = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';

  describe('who is asking', () => {
    test('every bad token and every organisation that is not the token’s get one and the same 401', async () => {
      const flipped = token.slice(0, -1) + (token.endsWith('a') ? 'b' : 'a');
      const revoked = await platform.api.expect(201, 'POST', '/tokens', { name: 'to revoke' });
      await platform.api.expect(204, 'DELETE', `/tokens/${String(revoked['id'])}`);
      await new Promise((resolve) => setTimeout(resolve, 300));
      const answers = await Promise.all([
        post(url, null, LIST),
        post(url, 'nonsense', LIST),
        post(url, flipped, LIST),
        post(url, `${token}x`, LIST),
        post(url, platform.facts.apiToken, LIST),
        post(url, String(revoked['token']), LIST),
        post(`${platform.gatewayUrl}/no-such-organisation/mcp`, token, LIST),
        post(`${platform.gatewayUrl}/no-such-organisation/everything/mcp`, null, LIST),
        post(url, null, LIST, { authorization: `Basic ${token}` }),
      ]);
      for (const answer of answers) {
        expect(answer.status).toBe(401);
        expect(answer.text).toBe(answers[0]?.text);
        expect(answer.headers.get('www-authenticate')).toBe(answers[0]?.headers.get('www-authenticate'));
      }
    });

    test('a stranger’s body is never read: the 401 comes before it', async () => {
      const answer = await raw(
        `POST /default/mcp HTTP/1.1\r\nHost: 127.0.0.1:${gatewayPort()}\r\nContent-Type: application/json\r\nContent-Length: 900000\r\n\r\n`,
      );
      expect(answer).toMatch(/^HTTP\/1\.1 401 /);
    });

    test('a token in the URL opens nothing', async () => {
      expect((await post(`${url}?access_token=${token}`, null, LIST)).status).toBe(401);
    });

    test('a foreign Host and a foreign Origin are turned away', async () => {
      const host = await raw(
        `POST /default/mcp HTTP/1.1\r\nHost: evil.example\r\nAuthorization: Bearer ${token}\r\nContent-Length: 0\r\n\r\n`,
      );
      expect(host).toMatch(/^HTTP\/1\.1 421 /);
      expect((await post(url, token, LIST, { origin: 'https://evil.example' })).status).toBe(403);
    });
  });

  describe('what is asked for', () => {
    test('a server that is missing and one that is not granted answer alike', async () => {
      await platform.api.expect(201, 'POST', '/servers', { kind: 'streamable-http', slug: 'ungranted', url: hostile.url });
      const missing = await post(platform.mcpUrl('never-registered'), token, LIST);
      const ungranted = await post(platform.mcpUrl('ungranted'), token, LIST);
      expect(missing.status).toBe(403);
      expect([ungranted.status, ungranted.text]).toEqual([missing.status, missing.text]);
    });

    test.each(['legacy', '2026-07-28'])('unknown tool, prompt, cursor and method are the protocol’s own errors (%s)', async (era) => {
      const ask = async (method: string, params: Record<string, unknown> = {}): Promise<[number, number | undefined]> => {
        const { body, headers } = modern(method, params);
        const legacyBody = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
        const answer = era === 'legacy' ? await post(url, token, legacyBody) : await post(url, token, body, headers);
        return [answer.status, parse(answer).error?.code];
      };
      expect(await ask('tools/call', { name: 'nope', arguments: {} })).toEqual([200, -32602]);
      expect(await ask('prompts/get', { name: 'nope' })).toEqual([200, -32602]);
      expect(await ask('tools/list', { cursor: 'made-up' })).toEqual([200, -32602]);
      expect(await ask('tools/list', { cursor: '' })).toEqual([200, -32602]);
      expect(await ask('no/such/method')).toEqual([era === 'legacy' ? 200 : 404, -32601]);
    });

    test('GET is 405 at once, an unknown session 404, an unknown path 404', async () => {
      const authorization = `Bearer ${token}`;
      const get = await fetch(url, { headers: { authorization, accept: 'text/event-stream' } });
      expect(get.status).toBe(405);
      expect(get.headers.get('allow')).toContain('POST');
      expect((await post(url, token, LIST, { 'mcp-session-id': 'made-up' })).status).toBe(404);
      expect((await post(`${platform.gatewayUrl}/default/everything/more/mcp`, token, LIST)).status).toBe(404);
    });

    test('list changes and log messages are advertised to everybody, subscriptions to clients that can hear of them', async () => {
      const initialize = {
        jsonrpc: '2.0',
        id: 0,
        method: 'initialize',
        params: { protocolVersion: '2025-11-25', capabilities: { roots: {} }, clientInfo: { name: 'x', version: '1' } },
      };
      for (const endpoint of [url, platform.mcpUrl()]) {
        const legacy = parse(await post(endpoint, token, JSON.stringify(initialize)));
        const discovered = (await callModern(endpoint, token, 'server/discover')).json;
        for (const { result } of [legacy, discovered]) {
          expect(result?.['capabilities']).toMatchObject({ tools: { listChanged: true }, logging: {} });
        }
        expect(discovered.result?.['capabilities']).toMatchObject({ resources: { listChanged: true, subscribe: true } });
      }
    });
  });

  describe('the message itself', () => {
    const cases: [string, string | Buffer, number, number][] = [
      ['not JSON', 'hello', 400, -32700],
      ['truncated JSON', '{"jsonrpc":"2.0","id":1', 400, -32700],
      ['invalid UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 400, -32700],
      ['a batch', `[${LIST}]`, 400, -32600],
      ['no JSON-RPC', '{"hello":1}', 400, -32600],
      ['a null id', '{"jsonrpc":"2.0","id":null,"method":"tools/list"}', 400, -32600],
      ['100,000 nested brackets', '['.repeat(100_000), 400, -32600],
      [
        'nested brackets in arguments',
        `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":${'['.repeat(100_000)}`,
        400,
        -32600,
      ],
      ['a duplicate key', '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","name":"get-env"}}', 400, -32600],
      ['keys that differ in case', '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","Name":"get-env"}}', 400, -32600],
      ['an escaped twin', '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","na\\u006de":"get-env"}}', 400, -32600],
      [
        'a NUL-suffixed twin',
        '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","name\\u0000":"get-env"}}',
        400,
        -32600,
      ],
      ['a folded letter', '{"jsonrpc":"2.0","id":1,"method":"tools/list","param\\u017f":{}}', 400, -32600],
    ];
    test.each(cases)('%s is refused with the right status and code', async (_what, body, status, code) => {
      const startedAt = performance.now();
      const answer = await post(url, token, body);
      expect(answer.status).toBe(status);
      expect(parse(answer).error?.code).toBe(code);
      expect(performance.now() - startedAt).toBeLessThan(1_000);
    });

    test.each(['5', '[]', 'null', '"x"', '{"progressToken":{}}', '{"progressToken":1e400}', '{"progressToken":1.5}'])(
      '_meta %s, which servers drop without an answer, is invalid params at once',
      async (meta) => {
        const startedAt = performance.now();
        const params = `{"name":"echo","arguments":{"message":"x"},"_meta":${meta}}`;
        const answer = await post(url, token, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params}}`);
        expect([answer.status, parse(answer).id, parse(answer).error?.code]).toEqual([200, 1, -32602]);
        expect(performance.now() - startedAt).toBeLessThan(1_000);
      },
    );

    test('a body over the limit is 413, announced or not (trap 32)', async () => {
      const big = Buffer.alloc(1024 * 1024 + 1, 0x20);
      const announced = await raw(
        `POST /default/mcp HTTP/1.1\r\nHost: 127.0.0.1:${gatewayPort()}\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-Length: ${big.length}\r\n\r\n`,
      );
      expect(announced).toMatch(/^HTTP\/1\.1 413 /);
      const chunked = await raw(
        `POST /default/mcp HTTP/1.1\r\nHost: 127.0.0.1:${gatewayPort()}\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${big.length.toString(16)}\r\n${big.toString()}\r\n0\r\n\r\n`,
      );
      expect(chunked).toMatch(/^HTTP\/1\.1 413 /);
    });

    test('headers that contradict the body are refused', async () => {
      const { body, headers } = modern('tools/call', { name: 'echo', arguments: { message: 'x' } });
      for (const wrong of [{ 'mcp-name': 'get-env' }, { 'mcp-method': 'tools/list' }, { 'mcp-protocol-version': '2025-11-25' }]) {
        const answer = await post(url, token, body, { ...headers, ...wrong });
        expect([answer.status, parse(answer).error?.code]).toEqual([400, -32020]);
      }
      const { 'mcp-name': _left, ...missing } = headers;
      expect((await post(url, token, body, missing)).status).toBe(400);
    });

    test('an unsupported revision is told which ones are', async () => {
      const meta = { 'io.modelcontextprotocol/protocolVersion': '2099-01-01', 'io.modelcontextprotocol/clientCapabilities': {} };
      const body = JSON.stringify({ jsonrpc: '2.0', id: 7, method: 'tools/list', params: { _meta: meta } });
      const answer = await post(url, token, body, { 'mcp-protocol-version': '2099-01-01', 'mcp-method': 'tools/list' });
      expect(answer.status).toBe(400);
      expect(parse(answer)).toMatchObject({
        id: 7,
        error: { code: -32022, data: { supported: expect.arrayContaining(['2026-07-28']), requested: '2099-01-01' } },
      });
    });
  });

  describe('an upstream that misbehaves', () => {
    const call = (name: string): ReturnType<typeof callModern> =>
      callModern(platform.mcpUrl('hostile'), token, 'tools/call', { name, arguments: {} });

    test.each(['hang', 'die', 'html', 'redirect', 'garbage', 'not-json', 'wrong-id', 'cut-stream', 'unauthorized', 'empty'])(
      '%s: an error that names the server, in time, and the next call works',
      async (tool) => {
        const startedAt = performance.now();
        const { status, json } = await call(tool);
        expect(performance.now() - startedAt).toBeLessThan(3_000);
        expect(status).toBe(200);
        expect(json.id).toBe(1);
        expect(JSON.stringify(json.result ?? json.error)).toContain('hostile');
        expect(json.result === undefined ? json.error : json.result['isError']).toBeTruthy();
        expect((await call('ok')).json.result).toMatchObject({ content: [{ text: 'fine' }] });
      },
    );

    test('one that is gone is named too', async () => {
      await hostile.close();
      expect(JSON.stringify((await call('ok')).json)).toContain('hostile');
    });
  });

  describe('a registration', () => {
    const cases: [string, Record<string, unknown>, number, string][] = [
      ['a bad URL', { kind: 'streamable-http', slug: 'a', url: 'ftp://x' }, 400, '/url'],
      [
        'a URL that does not go where it seems to',
        { kind: 'streamable-http', slug: 'a', url: 'http://127.0.0.1\\@example.com/' },
        400,
        '/url',
      ],
      ['credentials in the URL', { kind: 'streamable-http', slug: 'a', url: 'http://user:pass@example.com/' }, 400, '/url'],
      ['a reserved slug', { kind: 'streamable-http', slug: 'mcp', url: 'http://example.com/mcp' }, 400, '/slug'],
      ['a slug that is taken', { kind: 'streamable-http', slug: 'everything', url: 'http://example.com/mcp' }, 409, '/slug'],
      ['an unknown field', { kind: 'streamable-http', slug: 'a', url: 'http://example.com/mcp', colour: 'red' }, 400, '/colour'],
      ['an unknown kind', { kind: 'carrier-pigeon', slug: 'a' }, 400, '/kind'],
    ];
    test.each(cases)('with %s is refused, naming the field, and nothing is written', async (_what, body, status, pointer) => {
      const before = (await platform.api.org('GET', '/servers')).body;
      const answer = await platform.api.org('POST', '/servers', body);
      expect(answer.status).toBe(status);
      expect(answer.headers.get('content-type')).toContain('application/problem+json');
      expect(JSON.stringify(answer.body['errors'])).toContain(pointer);
      expect((await platform.api.org('GET', '/servers')).body).toEqual(before);
    });
  });

  const gatewayPort = (): number => Number(new URL(platform.gatewayUrl).port);

  /** Writes bytes as they are and returns what comes back until the other side closes or falls silent. */
  function raw(request: string): Promise<string> {
    return new Promise((resolve) => {
      const socket = dial(gatewayPort(), '127.0.0.1', () => socket.write(request));
      let answer = '';
      socket.setTimeout(700, () => socket.destroy());
      socket.on('data', (chunk) => {
        answer += chunk.toString();
      });
      socket.on('error', () => {});
      socket.on('close', () => resolve(answer));
    });
  }
}
