import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { memoryStore, startGateway, type TestGateway } from './support/gateway.ts';
import { modernInit } from './support/modern-call.ts';
import type { ServerSpec } from './support/snapshot.ts';

const many = Array.from({ length: 1_500 }, (_, index) => `t${String(index).padStart(4, '0')}`);
const [BIG, SMALL] = ['00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000002'];

/** No server is there: lists must not need one. */
const NOBODY = 'http://127.0.0.1:9/mcp';
const big: ServerSpec = { slug: 'big', id: BIG, url: NOBODY, era: 'modern', tools: many, ttlMs: { tool: 30_000, prompt: 5_000 } };
const small: ServerSpec = { slug: 'small', id: SMALL, url: NOBODY, era: 'modern', tools: many.slice(0, 600), ttlMs: { tool: 90_000 } };

let pods: TestGateway[];
const others: TestGateway[] = [];

beforeAll(async () => {
  const store = memoryStore();
  pods = [await startGateway({ servers: [big, small], store }), await startGateway({ servers: [big, small], store })];
});

afterAll(async () => {
  await Promise.all([...pods, ...others].map((pod) => pod.close()));
});

type Answer = {
  result: { tools: { name: string }[]; nextCursor?: string; ttlMs?: number; cacheScope?: string; _meta: Record<string, unknown> };
  error: { code: number; data: { code: string } };
};

async function ask(
  pod: TestGateway | undefined,
  { method = 'tools/list', cursor, slug = null, user = 'ada' }: Asking = {},
): Promise<Answer> {
  const response = await fetch(pod?.url(slug) ?? '', modernInit(method, { cursor }, { user }));
  return (await response.json()) as Answer;
}
type Asking = { method?: string; cursor?: string | undefined; slug?: string | null; user?: string };

async function pages(slug: string | null): Promise<Answer['result'][]> {
  const found = [(await ask(pods[0], { slug })).result];
  for (let cursor = found[0]?.nextCursor; cursor !== undefined; cursor = found.at(-1)?.nextCursor)
    found.push((await ask(pods[found.length % 2], { slug, cursor })).result);
  return found;
}

describe('a list of more entries than fit one page', () => {
  it('comes in pages of 1,000, each from another pod, every entry once and in order', async () => {
    const aggregate = await pages(null);
    expect(aggregate.map(({ tools }) => tools.length)).toEqual([1_000, 1_000, 100]);
    const expected = [...many.map((name) => `big_${name}`), ...many.slice(0, 600).map((name) => `small_${name}`)];
    expect(aggregate.flatMap(({ tools }) => tools.map(({ name }) => name))).toEqual(expected);
    expect((await pages('big')).map(({ tools }) => tools.length)).toEqual([1_000, 500]);
    expect(await pages('small')).toHaveLength(1);
  });

  it('says the same of its caching on every page (trap 6)', async () => {
    for (const { cacheScope, ttlMs } of await pages(null)) expect({ cacheScope, ttlMs }).toEqual({ cacheScope: 'private', ttlMs: 30_000 });
  });

  it('takes a cursor from nobody else, at no other endpoint, for no other list; the empty string is one, and not ours (trap 6)', async () => {
    const cursor = (await ask(pods[0])).result.nextCursor;
    expect((await ask(pods[1], { cursor })).result.tools).toHaveLength(1_000);
    const foreign: Asking[] = [
      { cursor, user: 'bob' },
      { cursor, slug: 'big' },
      { cursor, method: 'prompts/list' },
      { cursor: '' },
      { cursor: `${cursor}A` },
    ];
    for (const asking of foreign)
      expect((await ask(pods[1], asking)).error).toMatchObject({ code: -32602, data: { code: 'cursor.invalid' } });
  });

  it('goes on behind the same entry when the catalogue has changed meanwhile, and says when it cannot', async () => {
    const store = memoryStore();
    const start = async (tools: readonly string[]): Promise<TestGateway> => {
      const pod = await startGateway({ servers: [{ ...big, tools }], store });
      others.push(pod);
      return pod;
    };
    const [before, grown, cut] = [await start(many), await start(['new', ...many]), await start(many.slice(0, 10))];
    const cursor = (await ask(before)).result.nextCursor;
    expect((await ask(grown, { cursor })).result.tools[0]?.name).toBe('big_t1000');
    expect((await ask(cut, { cursor })).error.data.code).toBe('cursor.invalid');
  });

  it('is read to its end by an official client', async () => {
    const client = new ModernClient({ name: 'test', version: '1' }, { versionNegotiation: { mode: { pin: '2026-07-28' } } });
    await client.connect(new ModernTransport(new URL(pods[0]?.url(null) ?? '')));
    expect((await client.listTools()).tools).toHaveLength(2_100);
    await client.close();
  });
});

describe('what happened to a server', () => {
  it('is said in the list, which keeps what was known of it and may not be kept (trap 7)', async () => {
    const since = '2026-11-24T10:00:00.000Z';
    const servers: ServerSpec[] = [
      { ...small, slug: 'fine', id: BIG, tools: ['a'] },
      { slug: 'new', url: NOBODY, era: 'modern', tools: [], isDiscovered: false },
      { slug: 'dead', url: NOBODY, era: 'legacy', tools: ['b'], silentSince: since },
      { slug: 'cut', url: NOBODY, era: 'modern', tools: ['c'], leftOut: 'Left out: 1 tools without an inputSchema (“x”).' },
    ];
    const pod = await startGateway({ servers });
    others.push(pod);
    const { result } = await ask(pod);
    expect(result.tools.map(({ name }) => name)).toEqual(['fine_a', 'dead_b', 'cut_c']);
    expect(result._meta['com.patchbay/servers']).toEqual({
      new: { status: 'not discovered' },
      dead: { status: 'unreachable', lastAnsweredAt: since },
      cut: { status: 'incomplete', leftOut: 'Left out: 1 tools without an inputSchema (“x”).' },
    });
    expect(result).toMatchObject({ ttlMs: 0, cacheScope: 'private' });
    const own = (await ask(pod, { slug: 'cut' })).result;
    expect(own._meta['com.patchbay/servers']).toMatchObject({ cut: { status: 'incomplete' } });
    expect((await ask(pod, { slug: 'fine' })).result).toMatchObject({ ttlMs: 60_000 });
    expect((await ask(pod, { slug: 'fine' })).result._meta).not.toHaveProperty('com.patchbay/servers');
  });
});

describe('what a server offers only to clients that can do something', () => {
  const NEEDS = {
    ask: [['elicitation.form'], ['elicitation.url']],
    think: [['sampling']],
    all: [['elicitation.form', 'roots', 'sampling']],
  };
  const tools = ['plain', ...Object.keys(NEEDS)];

  it('is listed to those that declared it, whichever revision and endpoint they ask at (trap 34)', async () => {
    const pod = await startGateway({ servers: [{ slug: 'old', url: NOBODY, era: 'legacy', tools, needs: NEEDS }] });
    others.push(pod);
    const seen = async (capabilities: object): Promise<string[][]> => {
      const found: string[][] = [];
      const modern = new ModernClient(
        { name: 'test', version: '1' },
        { versionNegotiation: { mode: { pin: '2026-07-28' } }, capabilities },
      );
      const legacy = new Client({ name: 'test', version: '1' }, { capabilities });
      await modern.connect(new ModernTransport(new URL(pod.url(null))));
      await legacy.connect(new StreamableHTTPClientTransport(new URL(pod.url(null))));
      for (const client of [modern, legacy]) {
        found.push((await client.listTools()).tools.map(({ name }) => name.replace('old_', '')));
        await client.close();
      }
      return found;
    };
    const both = (...names: string[]): string[][] => [names, names];
    expect(await seen({})).toEqual(both('plain'));
    expect(await seen({ elicitation: {} })).toEqual(both('plain', 'ask'));
    expect(await seen({ elicitation: { url: {} } })).toEqual(both('plain', 'ask'));
    expect(await seen({ sampling: {}, roots: {} })).toEqual(both('plain', 'think'));
    expect(await seen({ sampling: {}, roots: {}, elicitation: {} })).toEqual(both('plain', 'ask', 'think', 'all'));
    // Another list of the same caller is not the one of before.
    expect(await seen({})).toEqual(both('plain'));
  });
});

describe('a client that cannot take everything', () => {
  it('is sent what its token’s profile allows, told what was left out, and may call that all the same (trap 3)', async () => {
    const servers: ServerSpec[] = [{ slug: 'old', url: NOBODY, era: 'modern', tools: ['a', 'b.c', 'd', 'e', 'f'.repeat(60)] }];
    const pod = await startGateway({ servers, profiles: { ada: { nameLengthMax: 30, namePunctuation: '_', toolsMax: 2 } } });
    others.push(pod);
    const { result } = await ask(pod);
    // The aggregated endpoint has made of b.c a name that this client takes.
    expect(result.tools.map(({ name }) => name)).toEqual(['old_a', expect.stringMatching(/^old_b_c_[a-z2-7]{8}$/)]);
    expect(result._meta['com.patchbay/leftOut']).toEqual({
      'name longer than 30': { count: 1, names: [expect.stringMatching(/^old_f+$/)] },
      'beyond the first 2': { count: 2, names: ['old_d', 'old_e'] },
    });
    expect((await ask(pod, { slug: 'old' })).result._meta['com.patchbay/leftOut']).toMatchObject({
      'name with other characters': { names: ['b.c'] },
    });
    const everything = await ask(pod, { user: 'bob' });
    expect(everything.result.tools).toHaveLength(5);
    expect(everything.result._meta).not.toHaveProperty('com.patchbay/leftOut');
  });

  it('is sent at each endpoint what that one’s profile allows, and where its token says something too, what both allow', async () => {
    const old: ServerSpec = {
      slug: 'old',
      url: NOBODY,
      era: 'modern',
      tools: ['a', 'b.c', 'd/e', 'f'],
      clientProfile: { namePunctuation: './' },
    };
    const pod = await startGateway({
      servers: [old],
      clientProfile: { toolsMax: 3 },
      profiles: { ada: { namePunctuation: '.-', toolsMax: 2 } },
    });
    others.push(pod);
    const seen = async (user: string, slug: string | null): Promise<[string[], unknown]> => {
      const { tools, _meta } = (await ask(pod, { user, slug })).result;
      return [tools.map(({ name }) => name), Object.keys((_meta['com.patchbay/leftOut'] as object | undefined) ?? {})];
    };
    expect(await seen('bob', 'old')).toEqual([['a', 'b.c', 'd/e', 'f'], []]);
    expect(await seen('ada', 'old')).toEqual([
      ['a', 'b.c'],
      ['name with other characters', 'beyond the first 2'],
    ]);
    expect((await seen('bob', null))[0]).toHaveLength(3);
    expect(await seen('ada', null)).toEqual([[], ['name with other characters']]);
  });
});
