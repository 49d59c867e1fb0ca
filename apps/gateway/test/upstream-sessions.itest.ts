import { type LegacyUpstream, startLegacyUpstream } from '@patchbay/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { memoryStore, startGateway, type TestGateway } from './support/gateway.ts';
import { oldServer } from './support/legacy-server.ts';

let upstream: LegacyUpstream;
let store: ReturnType<typeof memoryStore>;
let gateway: TestGateway;
/** Another pod: same keys and store, nothing in memory. */
let otherPod: TestGateway;

beforeEach(async () => {
  upstream = await startLegacyUpstream();
  store = memoryStore();
  const servers = [oldServer(upstream)];
  gateway = await startGateway({ servers, store });
  otherPod = await startGateway({ servers, store });
});

afterEach(async () => {
  await gateway.close();
  await otherPod.close();
  await upstream.close();
});

type Sent = {
  status: number;
  sessionId: string | null;
  text: string;
  json: () => { id: unknown; result?: Record<string, never>; error?: { code: number } };
};

async function send(
  url: string,
  message: object | null,
  options: { session?: string; user?: string; method?: string } = {},
): Promise<Sent> {
  const headers: Record<string, string> = {
    authorization: `Bearer ${options.user ?? 'ada'}`,
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': '2025-11-25',
  };
  if (message !== null) headers['content-type'] = 'application/json';
  if (options.session !== undefined) headers['mcp-session-id'] = options.session;
  const response = await fetch(url, {
    method: options.method ?? 'POST',
    headers,
    ...(message === null ? {} : { body: JSON.stringify(message) }),
  });
  const text = await response.text();
  const body = (): string => (response.headers.get('content-type') === 'text/event-stream' ? (text.split('data: ').at(-1) ?? '') : text);
  return { status: response.status, sessionId: response.headers.get('mcp-session-id'), text, json: () => JSON.parse(body()) as never };
}

const INITIALIZE = {
  jsonrpc: '2.0',
  id: 0,
  method: 'initialize',
  params: { protocolVersion: '2025-06-18', capabilities: { sampling: {}, roots: {} }, clientInfo: { name: 'raw', version: '1' } },
};

async function initialize(url: string, user = 'ada'): Promise<string> {
  const sent = await send(url, INITIALIZE, { user });
  expect(sent.status).toBe(200);
  await send(url, { jsonrpc: '2.0', method: 'notifications/initialized' }, { session: sent.sessionId ?? '', user });
  return sent.sessionId ?? '';
}

const call = (name: string, args: object = {}, id: string | number = 1): object => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name, arguments: args },
});
const textOf = (sent: Sent): string | undefined => (sent.json().result as { content?: { text: string }[] } | undefined)?.content?.[0]?.text;

describe('a forwarded initialize', () => {
  it("answers with the server's version and words, and what reaches the client", async () => {
    const sent = await send(gateway.url('old'), INITIALIZE);
    expect(sent.json()).toMatchObject({
      id: 0,
      result: {
        protocolVersion: '2025-06-18',
        serverInfo: { name: 'legacy-fixture' },
        instructions: 'Speak plainly.',
        capabilities: {
          tools: { listChanged: true },
          prompts: { listChanged: true },
          resources: { listChanged: true, subscribe: true },
          completions: {},
          logging: {},
        },
      },
    });
  });

  it('seals the upstream session into an id of at most 1 KB that shows nothing of it', async () => {
    const session = await initialize(gateway.url('old'));
    const [inner] = upstream.sessions();
    expect(session.length).toBeLessThanOrEqual(1024);
    expect(Buffer.from(session, 'base64url').includes(inner ?? '?')).toBe(false);
  });

  it('is refused without capabilities', async () => {
    const sent = await send(gateway.url('old'), {
      ...INITIALIZE,
      params: { protocolVersion: '2025-06-18', clientInfo: { name: 'raw', version: '1' } },
    });
    expect(sent.json().error?.code).toBe(-32602);
  });
});

describe('a session', () => {
  it('is served by a pod that has never seen it, on the same upstream session', async () => {
    const session = await initialize(gateway.url('old'));
    expect(textOf(await send(gateway.url('old'), call('count'), { session }))).toBe('1');
    expect(textOf(await send(otherPod.url('old'), call('count'), { session }))).toBe('2');
  });

  it('keeps the id of the client, zero and strings included (trap 8)', async () => {
    const session = await initialize(gateway.url('old'));
    expect((await send(gateway.url('old'), call('count', {}, 0), { session })).json().id).toBe(0);
    expect((await send(gateway.url('old'), call('count', {}, '1'), { session })).json().id).toBe('1');
  });

  it.each([
    ['another user', { user: 'bob' }, 'old'],
    ['another endpoint', {}, null],
  ] as const)('does not open for %s (trap 22)', async (_who, options, slug) => {
    const session = await initialize(gateway.url('old'));
    const message = slug === null ? call('old_count') : call('count');
    expect((await send(gateway.url(slug), message, { session, ...options })).status).toBe(404);
  });

  it('that was tampered with is gone', async () => {
    const session = await initialize(gateway.url('old'));
    const flipped = session.slice(0, 40) + (session[40] === 'A' ? 'B' : 'A') + session.slice(41);
    expect((await send(gateway.url('old'), call('count'), { session: flipped })).status).toBe(404);
  });

  it('that the upstream forgot is opened once more, and the call executed once, on every pod', async () => {
    const session = await initialize(gateway.url('old'));
    await send(gateway.url('old'), call('count'), { session });
    await send(otherPod.url('old'), call('count'), { session });
    upstream.forgetSessions();
    const answers = await Promise.all([1, 2, 3].map((id) => send(gateway.url('old'), call('count', {}, id), { session })));
    expect(answers.map(textOf).toSorted((a, b) => Number(a) - Number(b))).toEqual(['1', '2', '3']);
    expect(textOf(await send(otherPod.url('old'), call('count'), { session }))).toBe('4');
    expect(upstream.sessions()).toHaveLength(1);
  });

  it('that was deleted is gone everywhere, and so is its upstream session', async () => {
    const session = await initialize(gateway.url('old'));
    expect((await send(gateway.url('old'), null, { session, method: 'DELETE' })).status).toBe(204);
    expect((await send(gateway.url('old'), call('count'), { session })).status).toBe(404);
    expect((await send(otherPod.url('old'), call('count'), { session })).status).toBe(404);
    await expect.poll(() => upstream.sessions()).toEqual([]);
  });

  it('that is deleted while a pod opens its upstream session again leaves none there (trap 34)', async () => {
    const session = await initialize(gateway.url('old'));
    upstream.forgetSessions();
    const { promise: held, resolve: letGo } = Promise.withResolvers<undefined>();
    const { setIfAbsent } = store;
    store.setIfAbsent = async (organisationId, key, value, ttlMs) => {
      if (key.startsWith('upstream-session/')) await held;
      return setIfAbsent(organisationId, key, value, ttlMs);
    };
    const calling = send(gateway.url('old'), call('count'), { session });
    await expect.poll(() => upstream.sessions()).toHaveLength(1);
    expect((await send(otherPod.url('old'), null, { session, method: 'DELETE' })).status).toBe(204);
    letGo(undefined);
    expect((await calling).status).toBe(404);
    await expect.poll(() => upstream.sessions()).toEqual([]);
  });

  it('of the aggregated endpoint opens upstream sessions on first use, shared by pods, ended by DELETE', async () => {
    const session = await initialize(gateway.url(null));
    expect(upstream.sessions()).toHaveLength(0);
    expect(textOf(await send(gateway.url(null), call('old_count'), { session }))).toBe('1');
    expect(textOf(await send(otherPod.url(null), call('old_count'), { session }))).toBe('2');
    expect(upstream.sessions()).toHaveLength(1);
    await send(otherPod.url(null), null, { session, method: 'DELETE' });
    await expect.poll(() => upstream.sessions()).toEqual([]);
  });

  it('without an id is one per user, and not shared between users', async () => {
    expect(textOf(await send(gateway.url('old'), call('count')))).toBe('1');
    expect(textOf(await send(otherPod.url('old'), call('count')))).toBe('2');
    expect(textOf(await send(gateway.url('old'), call('count'), { user: 'bob' }))).toBe('1');
  });

  it('leaves no upstream session id in the store', async () => {
    await send(gateway.url('old'), call('count'));
    const [inner] = upstream.sessions();
    expect(inner).toBeDefined();
    expect([...store.values].flat().join(' ')).not.toContain(inner);
  });

  it('opened by two pods at once stays one: the loser closes its own', async () => {
    const answers = await Promise.all([gateway, otherPod].map((pod) => send(pod.url('old'), call('count'))));
    expect(answers.map(textOf).toSorted((a, b) => Number(a) - Number(b))).toEqual(['1', '2']);
    await expect.poll(() => upstream.sessions()).toHaveLength(1);
  });
});

describe('cancellation', () => {
  it('by a legacy client ends the call at the server and at the client', async () => {
    const session = await initialize(gateway.url('old'));
    const startedAtMs = Date.now();
    const waiting = send(gateway.url('old'), call('sleep', { ms: 1_500 }, 'c1'), { session });
    await new Promise((resolve) => setTimeout(resolve, 100));
    const cancelled = await send(
      gateway.url('old'),
      { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'c1' } },
      { session },
    );
    expect(cancelled.status).toBe(202);
    expect((await waiting).text).toBe('');
    expect(Date.now() - startedAtMs).toBeLessThan(1_000);
    expect(gateway.outcomes).toContain('cancelled');
  });

  it('of somebody else does nothing', async () => {
    const [mine, other] = [await initialize(gateway.url('old')), await initialize(gateway.url('old'), 'bob')];
    const waiting = send(gateway.url('old'), call('sleep', { ms: 300 }, 'c1'), { session: mine });
    await new Promise((resolve) => setTimeout(resolve, 50));
    await send(
      gateway.url('old'),
      { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'c1' } },
      { session: other, user: 'bob' },
    );
    expect(textOf(await waiting)).toBe('slept');
  });
});
