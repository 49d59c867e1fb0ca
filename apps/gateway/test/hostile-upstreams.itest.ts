import { listen, type Listening, startHostileUpstream } from '@patchbay/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startGateway, type TestGateway } from './support/gateway.ts';
import { lastMessage, modernInit } from './support/modern-call.ts';

const TOOLS = ['hang', 'die', 'html', 'redirect', 'garbage', 'not-json', 'wrong-id', 'cut-stream', 'unauthorized', 'empty', 'ok'] as const;

let upstream: Listening;
let gateway: TestGateway;

beforeAll(async () => {
  upstream = await startHostileUpstream();
  const closed = await listen(() => undefined);
  await closed.close();
  gateway = await startGateway({
    servers: [
      { slug: 'evil', url: upstream.url, era: 'legacy', tools: TOOLS, requestMs: 400 },
      { slug: 'modern-evil', url: upstream.url, era: 'modern', tools: TOOLS, requestMs: 400 },
      { slug: 'away', url: closed.url, era: 'modern', tools: ['ok'] },
    ],
  });
});

afterAll(async () => {
  await gateway.close();
  await upstream.close();
});

type Answer = {
  id: unknown;
  result?: { isError?: boolean; content: { text: string }[]; _meta?: Record<string, { code: string }> };
  error?: { code: number; message: string };
};

/** A call as a modern client makes it, without any client in between that could hide what came. */
async function call(slug: string, name: string): Promise<{ status: number; answer: Answer; contentType: string | null }> {
  const response = await fetch(gateway.url(slug), modernInit('tools/call', { name, arguments: {} }, { id: 'mine' }));
  const contentType = response.headers.get('content-type');
  return { status: response.status, answer: (await lastMessage(response)) as Answer, contentType };
}

const EXPECTED: Readonly<Record<string, string>> = {
  hang: 'upstream.timeout',
  die: 'upstream.broken',
  html: 'upstream.broken',
  redirect: 'upstream.broken',
  garbage: 'upstream.broken',
  'not-json': 'upstream.broken',
  'wrong-id': 'upstream.broken',
  'cut-stream': 'upstream.broken',
  unauthorized: 'upstream.refused',
  empty: 'upstream.broken',
};

describe.each(['evil', 'modern-evil'])('a misbehaving upstream (%s)', (slug) => {
  it.each(Object.entries(EXPECTED))('that answers with %s becomes %s by name, and the next call works', async (tool, code) => {
    const { answer, status } = await call(slug, tool);
    expect(status).toBe(200);
    expect(answer.id).toBe('mine');
    expect(answer.result?.isError).toBe(true);
    expect(answer.result?._meta?.['com.patchbay/error']?.code).toBe(code);
    expect(answer.result?.content[0]?.text).toContain(`"${slug}"`);
    expect((await call(slug, 'ok')).answer.result?.content[0]?.text).toBe('fine');
  });
});

it('says that a server which nobody listens for could not be reached', async () => {
  const { answer } = await call('away', 'ok');
  expect(answer.result?._meta?.['com.patchbay/error']?.code).toBe('upstream.unreachable');
});

it('carries so much a minute of what a server says unasked, and tells it which questions were too many', async () => {
  const told: { id?: unknown; error?: { code: number } }[] = [];
  const loud = await listen((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      const message = request.method === 'POST' ? (JSON.parse(body) as { id?: unknown; method?: string; params?: object }) : {};
      const json = (result: object) =>
        response
          .writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': 'one' })
          .end(JSON.stringify({ jsonrpc: '2.0', id: message.id, result }));
      if (request.method !== 'POST') return void response.writeHead(405).end();
      if (message.method === 'initialize')
        return void json({ protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'loud', version: '1' } });
      if (message.method !== 'tools/call') {
        told.push(message);
        return void response.writeHead(202).end();
      }
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const say = (said: object) => response.write(`data: ${JSON.stringify({ jsonrpc: '2.0', ...said })}\n\n`);
      for (const data of [1, 2, 3, 4]) say({ method: 'notifications/message', params: { level: 'info', data } });
      for (const id of ['a', 'b', 'c']) say({ id, method: 'elicitation/create', params: { message: 'Well?', requestedSchema: {} } });
      say({ id: message.id, result: { content: [{ type: 'text', text: 'done' }] } });
      response.end();
    });
  });
  const spec = { slug: 'loud', url: loud.url, era: 'legacy', tools: ['talk'] } as const;
  const limited = await startGateway({ servers: [spec], unaskedPerMinute: { notifications: 3, requests: 1 } });
  try {
    const send = (message: object, session: Record<string, string> = {}) =>
      fetch(limited.url('loud'), {
        method: 'POST',
        headers: {
          ...{ authorization: 'Bearer ada', accept: 'application/json, text/event-stream', 'content-type': 'application/json' },
          ...session,
        },
        body: JSON.stringify({ jsonrpc: '2.0', ...message }),
      });
    const params = { protocolVersion: '2025-11-25', capabilities: { elicitation: {} }, clientInfo: { name: 'raw', version: '1' } };
    const opened = await send({ id: 0, method: 'initialize', params });
    const session = { 'mcp-session-id': opened.headers.get('mcp-session-id') ?? '', 'mcp-protocol-version': '2025-11-25' };
    const text = await (await send({ id: 1, method: 'tools/call', params: { name: 'talk', arguments: {} } }, session)).text();
    const said = [...text.matchAll(/^data: (\{.*)$/gm)].map(([, line]) => JSON.parse(line ?? '') as { id?: unknown; method?: string });
    expect(said.map(({ id, method }) => id ?? method)).toEqual([...Array<string>(3).fill('notifications/message'), 'a', 1]);
    await expect
      .poll(() => told.filter(({ error }) => error !== undefined))
      .toMatchObject([
        { id: 'b', error: { code: -32600 } },
        { id: 'c', error: { code: -32600 } },
      ]);
    expect(limited.tooMuch).toEqual(['loud notifications', 'loud requests', 'loud requests']);
  } finally {
    await limited.close();
    await loud.close();
  }
});
