import { randomUUID } from 'node:crypto';
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { LimitId, type LimitsPart } from '@patchbay/contracts';
import { type LegacyUpstream, type ModernUpstream, startLegacyUpstream, startModernUpstream } from '@patchbay/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { type FakeCounters, makeCounters } from '../src/limits/counters.fixture.ts';
import { type GatewaySpec, startGateway, type TestGateway } from './support/gateway.ts';

type Limit = LimitsPart['limits'][number];
/** One of each era, so that each can be asked the same. */
type AnyClient = Pick<ModernClient, 'callTool' | 'close' | 'complete' | 'getPrompt' | 'listTools' | 'readResource'>;

const ERAS = ['legacy', 'modern'] as const;
const HOUR = 3_600_000;
let legacy: LegacyUpstream;
let modern: ModernUpstream;
const open: { close(): Promise<unknown> }[] = [];

beforeAll(async () => {
  [legacy, modern] = await Promise.all([startLegacyUpstream(), startModernUpstream()]);
});

afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

afterAll(() => Promise.all([legacy.close(), modern.close()]));

const limitOf = (change: Partial<Limit>): Limit => ({
  id: LimitId.parse(randomUUID()),
  name: 'few',
  mode: 'enforce',
  per: [],
  applies: { subject: null, tokenId: null, serverId: null, tool: null },
  windows: [],
  concurrency: null,
  ...change,
});

async function gatewayWith(limits: Limit[], more: Partial<GatewaySpec> = {}): Promise<TestGateway> {
  const servers = [
    { id: OLD, slug: 'old', url: legacy.url, era: 'legacy', tools: ['echo', 'count', 'sleep'], prompts: ['greet'] },
    { slug: 'new', url: modern.url, era: 'modern', tools: ['echo', 'sum'], prompts: ['greet'] },
  ] as const;
  const gateway = await startGateway({ servers, limits, ...more });
  open.push(gateway);
  return gateway;
}

const OLD = randomUUID();

async function clientOf(era: (typeof ERAS)[number], url: string, user = 'ada'): Promise<AnyClient> {
  const init = { requestInit: { headers: { authorization: `Bearer ${user}` } } };
  if (era === 'modern') {
    const client = new ModernClient({ name: 'test', version: '1' }, { versionNegotiation: { mode: { pin: '2026-07-28' } } });
    await client.connect(new ModernTransport(new URL(url), init));
    open.push(client);
    return client;
  }
  const client = new Client({ name: 'test', version: '1' });
  await client.connect(new StreamableHTTPClientTransport(new URL(url), init));
  open.push(client);
  return client as unknown as AnyClient;
}

type ToolResult = { isError?: boolean; content: { text: string }[]; _meta?: Record<string, unknown> };
const echo = async (client: AnyClient): Promise<ToolResult> =>
  (await client.callTool({ name: 'echo', arguments: { message: 'hi' } })) as ToolResult;

const REAL_TIME = {
  nowMs: () => performance.now(),
  after: (ms: number): Promise<void> => new Promise((done) => void setTimeout(done, ms)),
};
const sharedCounters = (): FakeCounters => makeCounters(REAL_TIME);

describe.each(ERAS)('a %s client', (era) => {
  test.each(['old', 'new'])('over a limit reads on server %s which one it is and when to come again', async (slug) => {
    const limit = limitOf({ name: 'two an hour', windows: [{ windowMs: HOUR, max: 2 }] });
    const gateway = await gatewayWith([limit]);
    const client = await clientOf(era, gateway.url(slug));
    for (let call = 0; call < 2; call += 1) expect((await echo(client)).isError ?? false).toBe(false);
    const refused = await echo(client);
    expect(refused.isError).toBe(true);
    expect(refused.content[0]?.text).toMatch(
      /^A limit of your organisation is reached\. Limit "two an hour" allows 2 calls in 1 hour\. Try again in 6\d minutes\.$/,
    );
    expect(refused._meta?.['com.patchbay/error']).toEqual({
      code: 'limit.exceeded',
      rule: limit.id,
      revision: 1,
      retryAfterMs: expect.toSatisfy((ms: number) => ms > HOUR * 0.9 && ms <= HOUR * 1.03),
      counted: 'fleet',
    });
    expect(gateway.outcomes).toContain('limit.exceeded');
  });

  test('over a limit with a prompt, a resource or a completion gets an error with a number of ours', async () => {
    const limit = limitOf({ windows: [{ windowMs: HOUR, max: 1 }] });
    const client = await clientOf(era, (await gatewayWith([limit])).url('old'));
    await client.getPrompt({ name: 'greet', arguments: { name: 'ada' } });
    const asks = [
      () => client.getPrompt({ name: 'greet', arguments: { name: 'ada' } }),
      () => client.readResource({ uri: 'note://one' }),
      () => client.complete({ ref: { type: 'ref/prompt', name: 'greet' }, argument: { name: 'name', value: 'a' } }),
    ];
    for (const ask of asks) {
      await expect(ask()).rejects.toMatchObject({
        code: -31_429,
        data: { code: 'limit.exceeded', rule: limit.id, revision: 1, retryAfterMs: expect.any(Number) },
      });
    }
  });

  test('lists, connects and pings as often as it likes: what Patchbay answers itself is not counted', async () => {
    const gateway = await gatewayWith([limitOf({ windows: [{ windowMs: HOUR, max: 1 }] })]);
    for (let round = 0; round < 3; round += 1) {
      const client = await clientOf(era, gateway.url('old'));
      expect((await client.listTools()).tools).toHaveLength(3);
    }
    expect((await echo(await clientOf(era, gateway.url('old')))).isError ?? false).toBe(false);
  });
});

describe('what counts together', () => {
  const one = [{ windowMs: HOUR, max: 1 }];
  const refusals = async (client: AnyClient, times: number): Promise<boolean[]> => {
    const seen: boolean[] = [];
    for (let call = 0; call < times; call += 1) seen.push((await echo(client)).isError === true);
    return seen;
  };

  test('each user apart with `user`; everybody without', async () => {
    const apart = await gatewayWith([limitOf({ per: ['user'], windows: one })]);
    for (const user of ['ada', 'bob'])
      expect(await refusals(await clientOf('modern', apart.url('new'), user), 2), user).toEqual([false, true]);
    const together = await gatewayWith([limitOf({ windows: one })]);
    expect(await refusals(await clientOf('modern', together.url('new'), 'ada'), 1)).toEqual([false]);
    expect(await refusals(await clientOf('modern', together.url('new'), 'bob'), 1)).toEqual([true]);
  });

  test('each server apart with `server`, each tool of each with `tool`, under its own name and the aggregated one', async () => {
    const perServer = await gatewayWith([limitOf({ per: ['server'], windows: one })]);
    for (const slug of ['old', 'new'])
      expect(await refusals(await clientOf('legacy', perServer.url(slug)), 2), slug).toEqual([false, true]);
    const perTool = await gatewayWith([limitOf({ per: ['tool'], windows: one })]);
    const all = await clientOf('legacy', perTool.url(null));
    const call = async (name: string, args = {}): Promise<boolean> => (await all.callTool({ name, arguments: args })).isError === true;
    expect(await call('old_echo', { message: 'x' })).not.toBe(true);
    expect(await call('old_count')).not.toBe(true);
    expect(await call('new_echo', { message: 'x' })).not.toBe(true);
    expect(await call('old_echo', { message: 'x' })).toBe(true);
    expect(await refusals(await clientOf('legacy', perTool.url('old')), 1)).toEqual([true]);
  });

  test('a limit on one tool of one server leaves everything else alone', async () => {
    const applies = { subject: null, tokenId: null, serverId: OLD as never, tool: 'echo' };
    const gateway = await gatewayWith([limitOf({ applies, windows: one })]);
    const client = await clientOf('modern', gateway.url('old'));
    expect(await refusals(client, 2)).toEqual([false, true]);
    expect((await client.callTool({ name: 'count', arguments: {} })).isError ?? false).toBe(false);
    expect(await refusals(await clientOf('modern', gateway.url('new')), 3)).toEqual([false, false, false]);
  });

  test('two gateways on one store share a limit', async () => {
    const [limit, counters] = [limitOf({ windows: [{ windowMs: HOUR, max: 4 }] }), sharedCounters()];
    const gateways = [await gatewayWith([limit], { counters }), await gatewayWith([limit], { counters })];
    const clients = await Promise.all(gateways.map((gateway) => clientOf('modern', gateway.url('new'))));
    let admitted = 0;
    for (let round = 0; round < 4; round += 1) for (const client of clients) if (!(await echo(client)).isError) admitted += 1;
    // One permit may lie leased ahead at the other for a moment.
    expect(admitted).toBeGreaterThanOrEqual(3);
    expect(admitted).toBeLessThanOrEqual(4);
  });
});

describe('calls at one time', () => {
  const slow = (client: AnyClient, ms = 300): Promise<ToolResult> =>
    client.callTool({ name: 'sleep', arguments: { ms } }) as Promise<ToolResult>;

  test('no more than allowed run; when one has ended the next may', async () => {
    const gateway = await gatewayWith([limitOf({ name: 'two at a time', concurrency: 2 })]);
    const client = await clientOf('legacy', gateway.url('old'));
    const answers = await Promise.all([slow(client), slow(client), slow(client)]);
    expect(answers.filter(({ isError }) => isError)).toHaveLength(1);
    expect(answers.find(({ isError }) => isError)?.content[0]?.text).toContain('allows 2 calls at a time. Try again in 1 second.');
    expect((await slow(client, 1)).isError ?? false).toBe(false);
  });

  test('a slot is free again after a call that a client left, that failed, or that a later step refused', async () => {
    const down = { slug: 'down', url: 'http://127.0.0.1:9/mcp', era: 'modern', tools: ['echo'] } as const;
    const keyed = { slug: 'keyed', url: modern.url, era: 'modern', tools: ['echo'], hasCredential: true } as const;
    const old = { slug: 'old', url: legacy.url, era: 'legacy', tools: ['echo', 'sleep'] } as const;
    const gateway = await gatewayWith([limitOf({ concurrency: 1 })], { servers: [down, keyed, old] });
    for (const [slug, code] of [
      ['down', 'upstream.unreachable'],
      ['keyed', 'upstream.credential_unavailable'],
    ] as const) {
      const refused = await echo(await clientOf('modern', gateway.url(slug)));
      expect(refused._meta?.['com.patchbay/error'], slug).toMatchObject({ code });
    }
    const leaving = new AbortController();
    const client = await clientOf('modern', gateway.url('old'));
    const left = client.callTool({ name: 'sleep', arguments: { ms: 20_000 } }, { signal: leaving.signal });
    await vi.waitFor(() => expect(gateway.calls.length).toBeGreaterThanOrEqual(2));
    await vi.waitFor(async () => expect((await echo(client)).isError).toBe(true));
    leaving.abort();
    await expect(left).rejects.toThrow();
    await vi.waitFor(async () => expect((await echo(client)).isError ?? false).toBe(false), 3_000);
  });
});

test('several limits hold together, and one that refuses costs the others nothing', async () => {
  const wide = limitOf({ name: 'wide', windows: [{ windowMs: HOUR, max: 3 }] });
  const applies = { subject: null, tokenId: null, serverId: OLD as never, tool: 'echo' };
  const narrow = limitOf({ name: 'narrow', applies, windows: [{ windowMs: HOUR, max: 1 }] });
  const gateway = await gatewayWith([wide, narrow]);
  const client = await clientOf('modern', gateway.url('old'));
  await echo(client);
  for (let call = 0; call < 5; call += 1) expect((await echo(client)).content[0]?.text).toContain('"narrow"');
  for (let call = 0; call < 2; call += 1) expect((await client.callTool({ name: 'count', arguments: {} })).isError ?? false).toBe(false);
  expect((await client.callTool({ name: 'count', arguments: {} })) as ToolResult).toMatchObject({
    isError: true,
    content: [{ text: expect.stringContaining('"wide"') }],
  });
});

test('in audit mode nothing is refused and nothing waits, and what would have been refused is counted', async () => {
  const counters = sharedCounters();
  counters.latencyMs = 100_000;
  const limit = limitOf({ mode: 'audit', windows: [{ windowMs: HOUR, max: 2 }] });
  const gateway = await gatewayWith([limit], { counters });
  const client = await clientOf('modern', gateway.url('new'));
  const begunMs = performance.now();
  for (let call = 0; call < 5; call += 1) expect((await echo(client)).isError ?? false).toBe(false);
  expect(performance.now() - begunMs).toBeLessThan(1_000);
  const { text } = await gateway.metrics.render();
  expect(text).toContain('patchbay_gateway_limit_decisions_total{organisation="acme",mode="audit",outcome="admitted"} 2');
  expect(text).toContain('patchbay_gateway_limit_decisions_total{organisation="acme",mode="audit",outcome="refused"} 3');
  expect(gateway.calls.filter(({ auditedLimitId }) => auditedLimitId === limit.id)).toHaveLength(3);
});

test('while the store is away a pod goes by its share, says so in refusals and metrics, and shares again afterwards', async () => {
  const counters = sharedCounters();
  counters.mode = 'fails';
  const limit = limitOf({ windows: [{ windowMs: HOUR, max: 2 }] });
  const gateway = await gatewayWith([limit], { counters });
  const client = await clientOf('modern', gateway.url('new'));
  for (let call = 0; call < 2; call += 1) expect((await echo(client)).isError ?? false).toBe(false);
  expect((await echo(client))._meta?.['com.patchbay/error']).toMatchObject({ counted: 'pod' });
  expect((await gateway.metrics.render()).text).toContain('patchbay_gateway_limit_store_away 1');
  counters.mode = 'works';
  await vi.waitFor(async () => {
    await echo(client);
    expect((await gateway.metrics.render()).text).toContain('patchbay_gateway_limit_store_away 0');
  }, 4_000);
  expect((await echo(client))._meta?.['com.patchbay/error']).toMatchObject({ counted: 'fleet' });
});
