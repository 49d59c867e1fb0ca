import type { IncomingMessage, ServerResponse } from 'node:http';
import { listen, type Listening, startLegacyUpstream, startModernUpstream } from '@patchbay/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import { startGateway, type TestGateway } from './support/gateway.ts';
import { lastMessage, modernInit } from './support/modern-call.ts';
import { type RawRequest, type RawUpstream, startRawUpstream } from './support/raw-upstream.ts';

const closing: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of closing.splice(0)) await each.close();
});

type Era = 'legacy' | 'modern';
const ERAS = ['legacy', 'modern'] as const;

async function started<T extends { close(): Promise<void> }>(each: Promise<T>): Promise<T> {
  const running = await each;
  closing.unshift(running);
  return running;
}

async function raw(era: Era, answer: (request: RawRequest, response: ServerResponse) => void): Promise<[RawUpstream, TestGateway]> {
  const upstream = await started(startRawUpstream(answer));
  const server = { slug: 'raw', url: upstream.url, era, tools: ['t'], requestMs: 5_000 };
  return [upstream, await started(startGateway({ servers: [server] }))];
}

/** A call as a modern client makes it. */
function call(gateway: TestGateway, name = 't', slug = 'raw', args: object = {}): Promise<Response> {
  return fetch(gateway.url(slug), modernInit('tools/call', { name, arguments: args }, { id: 'mine' }));
}

type Answer = {
  readonly id?: unknown;
  readonly result?: {
    readonly isError?: boolean;
    readonly content: { readonly text: string }[];
    readonly _meta?: Record<string, { code: string }>;
  };
};

const answerOf = async (response: Response): Promise<Answer> => (await lastMessage(response)) as Answer;

const codeOf = ({ result }: Answer): string | undefined => result?._meta?.['com.patchbay/error']?.code;
const textOf = ({ result }: Answer): string | undefined => result?.content[0]?.text;
const resultOf = (id: unknown, text: string): string =>
  JSON.stringify({ jsonrpc: '2.0', id, result: { resultType: 'complete', content: [{ type: 'text', text }] } });

describe.each(ERAS)('a stream of events of a %s server (trap 12)', (era) => {
  /** Written in pieces of so many bytes, so that most borders fall inside a character. */
  async function answered(stream: (id: string) => string, bytes = 7): Promise<Answer> {
    const [, gateway] = await raw(era, ({ message }, response) => {
      const whole = Buffer.from(stream(JSON.stringify(message.id)));
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      for (let from = 0; from < whole.length; from += bytes) response.write(whole.subarray(from, from + bytes));
      response.end();
    });
    return answerOf(await call(gateway));
  }

  it.each([
    ['LF', '\n'],
    ['CR', '\r'],
    ['CRLF', '\r\n'],
  ])('is read with %s at the end of lines, several data lines, comments and characters cut in two', async (_name, end) => {
    const answer = await answered((id) =>
      [
        ': hello',
        `data: {"jsonrpc":"2.0","id":${id},`,
        'data:"result":{"resultType":"complete",',
        'data: "content":[{"type":"text","text":"é😀"}]}}',
        '',
        '',
      ].join(end),
    );
    expect([answer.id, textOf(answer)]).toEqual(['mine', 'é😀']);
  });

  it('is read after a byte order mark, behind events that carry only an id or a time, and of other types', async () => {
    const answer = await answered(
      (id) => `\ufeffid: 1\n\nretry: 5\ndata:\n\nevent: ping\ndata: not json\n\nid: 2\ndata: ${resultOf('x', 'é').replace('"x"', id)}\n\n`,
    );
    expect(textOf(answer)).toBe('é');
  });

  it('is read with an event of several megabytes, byte for byte', async () => {
    const text = 'é'.repeat(2 * 1024 * 1024);
    const answer = await answered((id) => `data: ${resultOf('x', text).replace('"x"', id)}\n\n`, 100_001);
    // Compared here: a difference is not to be printed.
    expect(textOf(answer) === text).toBe(true);
  });

  it('with an event that is larger than any may be is broken off by name, and costs the next call nothing', async () => {
    let isFirst = true;
    const [, gateway] = await raw(era, ({ message }, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.on('error', () => undefined);
      response.end(`data: ${isFirst ? 'x'.repeat(17 * 1024 * 1024) : resultOf(message.id, 'fine')}\n\n`);
      isFirst = false;
    });
    expect(codeOf(await answerOf(await call(gateway)))).toBe('upstream.broken');
    expect(textOf(await answerOf(await call(gateway)))).toBe('fine');
  });
});

describe('a server that restarts', () => {
  it.each(ERAS)('is used again as soon as it is back, and named while it is away (%s)', async (era) => {
    const start = era === 'legacy' ? startLegacyUpstream : startModernUpstream;
    const first = await start();
    const server = { slug: 'raw', url: first.url, era, tools: ['echo'] };
    const gateway = await started(startGateway({ servers: [server] }));
    const echo = async (): Promise<Answer> => answerOf(await call(gateway, 'echo', 'raw', { message: 'x' }));
    expect(textOf(await echo())).toBe(`${era}:x`);
    await first.close();
    expect(codeOf(await echo())).toBe('upstream.unreachable');
    await started(start(first.port));
    // It has forgotten every session, and the connections to it are dead.
    expect(textOf(await echo())).toBe(`${era}:x`);
  });
});

/** A server with sessions, each of its requests and sessions counted, whose answer to a call in one of them is the test's. */
async function counting(
  inSession: (response: ServerResponse, id: unknown, calls: number) => void,
): Promise<Listening & { calls: number; opened: number }> {
  const counted = { calls: 0, opened: 0 };
  const listening = await started(
    listen((request, response) => {
      void bodyOf(request).then((text) => {
        if (request.method !== 'POST') return response.writeHead(405).end();
        const { id, method } = JSON.parse(text) as { id?: unknown; method: string };
        if (id === undefined) return response.writeHead(202).end();
        if (method !== 'initialize') return inSession(response, id, (counted.calls += 1));
        response.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': `session-${(counted.opened += 1)}` });
        const result = { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'counting', version: '1' } };
        return response.end(JSON.stringify({ jsonrpc: '2.0', id, result }));
      });
    }),
  );
  return Object.assign(counted, listening);
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

describe('a session that the server has lost', () => {
  const json = (response: ServerResponse, text: string): void =>
    void response.writeHead(200, { 'content-type': 'application/json' }).end(text);
  const lost = (response: ServerResponse): void => void response.writeHead(404).end();
  const before = async (upstream: Listening): Promise<TestGateway> =>
    started(startGateway({ servers: [{ slug: 'raw', url: upstream.url, era: 'legacy', tools: ['t'], requestMs: 1_000 }] }));

  it('is opened once more for a call, which is then made in the new one', async () => {
    const upstream = await counting((response, id, calls) =>
      calls === 2 ? lost(response) : json(response, resultOf(id, `call ${calls}`)),
    );
    const gateway = await before(upstream);
    expect(textOf(await answerOf(await call(gateway)))).toBe('call 1');
    expect(textOf(await answerOf(await call(gateway)))).toBe('call 3');
    expect(upstream.opened).toBe(2);
  });

  it('and every time anew is not opened for ever: the call ends with the name of the server', async () => {
    const upstream = await counting(lost);
    const gateway = await before(upstream);
    const answer = await answerOf(await call(gateway));
    expect(codeOf(answer)).toBe('upstream.broken');
    expect(answer.result?.content[0]?.text).toContain('"raw"');
    expect(upstream.opened).toBeLessThanOrEqual(3);
  });

  it.each([
    ['died before a head came', (response: ServerResponse) => void response.destroy()],
    [
      'broke off its answer',
      (response: ServerResponse) =>
        void response.writeHead(200, { 'content-type': 'application/json' }).write('{', () => response.destroy()),
    ],
    [
      'ended its stream without an answer',
      (response: ServerResponse) => void response.writeHead(200, { 'content-type': 'text/event-stream' }).end(': bye\n\n'),
    ],
    ['failed', (response: ServerResponse) => void response.writeHead(500, { 'content-type': 'text/plain' }).end('404')],
    ['said nothing in time', () => undefined],
  ])('is not supposed when the server %s: what may have been executed is not sent again', async (_what, answer) => {
    const upstream = await counting((response) => answer(response));
    const gateway = await before(upstream);
    expect(codeOf(await answerOf(await call(gateway)))).toMatch(/^upstream\.(broken|timeout)$/);
    expect([upstream.calls, upstream.opened]).toEqual([1, 1]);
  });
});

describe('an upstream’s 401 or 403', () => {
  const refuseAll = async (status: number): Promise<Listening> =>
    started(
      listen(
        (_request, response) => void response.writeHead(status, { 'www-authenticate': 'Bearer resource_metadata="https://evil"' }).end(),
      ),
    );
  const post = (url: string, body: object, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(url, {
      method: 'POST',
      headers: {
        authorization: 'Bearer ada',
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...headers,
      },
      body: JSON.stringify({ jsonrpc: '2.0', ...body }),
    });

  // Guarantee: a client that reads one of these as ours signs in again, in a loop (protocol.md §3.3).
  it.each(ERAS.flatMap((era) => [401, 403].map((status) => [era, status] as const)))(
    'is never the answer of the gateway (%s, %d), to whatever was asked; nor is its challenge passed on (trap 23)',
    async (era, status) => {
      const upstream = await refuseAll(status);
      const gateway = await started(startGateway({ servers: [{ slug: 'raw', url: upstream.url, era, tools: ['t'], prompts: ['p'] }] }));
      const initialize = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'c', version: '1' } };
      const calls = [await call(gateway), await post(gateway.url('raw'), { id: 2, method: 'tools/call', params: { name: 't' } })];
      const others = [
        await post(gateway.url('raw'), { id: 1, method: 'initialize', params: initialize }),
        await post(gateway.url('raw'), { id: 3, method: 'prompts/get', params: { name: 'p' } }),
        await post(gateway.url('raw'), { id: 4, method: 'ping' }),
        await post(gateway.url('raw'), { method: 'notifications/roots/list_changed' }),
      ];
      for (const answer of [...calls, ...others]) {
        expect([401, 403]).not.toContain(answer.status);
        expect(answer.headers.get('www-authenticate')).toBeNull();
      }
      for (const answer of calls) expect(codeOf(await answerOf(answer))).toBe('upstream.refused');
    },
  );
});

it('a call whose stream was cut is not made again at another host when its own cannot be dialled any more', async () => {
  const executedBy: string[] = [];
  const begin = async (name: string): Promise<RawUpstream> => {
    const answer = (_request: RawRequest, response: ServerResponse): void => {
      executedBy.push(name);
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('id: 1\nretry: 100\ndata:\n\n');
      // Whoever wants the rest has to dial.
      setTimeout(() => void host.close(), 50);
    };
    // It lives, and has no stream of its own.
    const host = await startRawUpstream(answer, ({ accept }, response) =>
      response.writeHead(accept === 'text/event-stream' ? 405 : 200).end(),
    );
    return started(Promise.resolve(host));
  };
  const hosts = await Promise.all([begin('one'), begin('another')]);
  const server = { slug: 'raw', url: null, era: 'legacy', tools: ['t'], requestMs: 5_000 } as const;
  const stdioHostUrls = hosts.map(({ url }) => new URL(url).origin);
  const gateway = await started(startGateway({ servers: [server], stdioHostUrls }));
  const answer = await answerOf(await call(gateway));
  expect(executedBy).toHaveLength(1);
  expect(answer.result?._meta).toMatchObject({ 'com.patchbay/error': { code: 'upstream.broken' } });
});
