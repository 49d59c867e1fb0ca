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
