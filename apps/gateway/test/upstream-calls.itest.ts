import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { type LegacyUpstream, type ModernUpstream, startLegacyUpstream, startModernUpstream } from '@patchbay/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startGateway, type TestGateway } from './support/gateway.ts';

const LEGACY_TOOLS = ['echo', 'count', 'fail', 'steps', 'sleep'];

let legacy: LegacyUpstream;
let modern: ModernUpstream;
let gateway: TestGateway;

beforeAll(async () => {
  legacy = await startLegacyUpstream();
  modern = await startModernUpstream();
  const servers = [
    { slug: 'old', url: legacy.url, era: 'legacy', tools: LEGACY_TOOLS, prompts: ['greet'] },
    { slug: 'new', url: modern.url, era: 'modern', tools: ['echo', 'sum', 'fail'], prompts: ['greet'] },
  ] as const;
  gateway = await startGateway({ servers });
});

afterAll(async () => {
  await gateway.close();
  await legacy.close();
  await modern.close();
});

async function legacyClient(url: string, user = 'ada'): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' });
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers: { authorization: `Bearer ${user}` } } }));
  return client;
}

async function modernClient(url: string, user = 'ada'): Promise<ModernClient> {
  const client = new ModernClient({ name: 'test', version: '1' }, { versionNegotiation: { mode: { pin: '2026-07-28' } } });
  await client.connect(new ModernTransport(new URL(url), { requestInit: { headers: { authorization: `Bearer ${user}` } } }));
  return client;
}

const textOf = (result: unknown): string => (result as { content: { text: string }[] }).content.map(({ text }) => text).join();

/** The two clients take the options of a call at different places. */
function withProgress(era: 'legacy' | 'modern', seen: number[]): never[] {
  const options = { onprogress: ({ progress }: { progress: number }) => seen.push(progress) };
  return (era === 'legacy' ? [undefined, options] : [options]) as never[];
}

describe('a call on one server', () => {
  it('works for a legacy client on a legacy server, its state kept in one upstream session', async () => {
    const client = await legacyClient(gateway.url('old'));
    expect(textOf(await client.callTool({ name: 'echo', arguments: { message: 'hi' } }))).toBe('legacy:hi');
    expect(textOf(await client.callTool({ name: 'count', arguments: {} }))).toBe('1');
    expect(textOf(await client.callTool({ name: 'count', arguments: {} }))).toBe('2');
    const second = await legacyClient(gateway.url('old'));
    expect(textOf(await second.callTool({ name: 'count', arguments: {} }))).toBe('1');
    await client.close();
    await second.close();
  });

  it('works for a modern client on a modern server', async () => {
    const client = await modernClient(gateway.url('new'));
    expect(textOf(await client.callTool({ name: 'echo', arguments: { message: 'hi' } }))).toBe('modern:hi');
    const sum = await client.callTool({ name: 'sum', arguments: { a: 1, b: 2 } });
    expect(sum.structuredContent).toEqual({ sum: 3 });
    await client.close();
  });

  it('works for a modern client on a legacy server: calls, prompts, reads, completion', async () => {
    const client = await modernClient(gateway.url('old'));
    expect(textOf(await client.callTool({ name: 'echo', arguments: { message: 'hi' } }))).toBe('legacy:hi');
    expect((await client.getPrompt({ name: 'greet', arguments: { name: 'ada' } })).messages).toHaveLength(1);
    expect((await client.readResource({ uri: 'note://one' })).contents).toEqual([{ uri: 'note://one', text: 'first note' }]);
    const completed = await client.complete({ ref: { type: 'ref/prompt', name: 'greet' }, argument: { name: 'name', value: 'a' } });
    expect(completed.completion.values).toEqual(['ada', 'alan']);
    await client.close();
  });

  it('works for a legacy client on a modern server', async () => {
    const client = await legacyClient(gateway.url('new'));
    expect(textOf(await client.callTool({ name: 'echo', arguments: { message: 'hi' } }))).toBe('modern:hi');
    expect((await client.getPrompt({ name: 'greet', arguments: { name: 'ada' } })).messages).toHaveLength(1);
    expect((await client.readResource({ uri: 'note://modern' })).contents).toEqual([{ uri: 'note://modern', text: 'modern note' }]);
    await client.close();
  });

  it('passes a failing tool on as a result (trap 18)', async () => {
    const client = await modernClient(gateway.url('old'));
    const result = await client.callTool({ name: 'fail', arguments: {} });
    expect(result.isError).toBe(true);
    expect(textOf(result)).toBe('it failed');
    expect(gateway.outcomes.at(-1)).toBe('tool_error');
    await client.close();
  });

  it('tells a missing resource by the code of the client revision', async () => {
    const old = await legacyClient(gateway.url('old'));
    await expect(old.readResource({ uri: 'note://none' })).rejects.toMatchObject({ code: expect.toBeOneOf([-32002, -32602]) as number });
    const young = await modernClient(gateway.url('old'));
    await expect(young.readResource({ uri: 'note://none' })).rejects.toMatchObject({ code: -32602 });
    await old.close();
    await young.close();
  });
});

describe('progress', () => {
  it.each(['legacy', 'modern'] as const)('reaches a %s client under its own token, in order, on a legacy server', async (era) => {
    const client = era === 'legacy' ? await legacyClient(gateway.url('old')) : await modernClient(gateway.url('old'));
    const seen: number[] = [];
    const result = await client.callTool({ name: 'steps', arguments: { steps: 3 } }, ...withProgress(era, seen));
    expect(textOf(result)).toBe('3 steps');
    expect(seen).toEqual([1, 2, 3]);
    await client.close();
  });

  it('keeps clients of one user apart that share an upstream session and use equal ids and tokens (trap 9)', async () => {
    const clients = await Promise.all([1, 2, 3].map(() => modernClient(gateway.url('old'))));
    const results = await Promise.all(
      clients.map(async (client, index) => {
        const seen: number[] = [];
        const result = await client.callTool(
          { name: 'steps', arguments: { steps: index + 2 } },
          { onprogress: ({ progress }) => seen.push(progress) },
        );
        return [textOf(result), seen.length];
      }),
    );
    expect(results).toEqual([
      ['2 steps', 2],
      ['3 steps', 3],
      ['4 steps', 4],
    ]);
    await Promise.all(clients.map((client) => client.close()));
  });
});

describe('the aggregated endpoint', () => {
  it.each(['legacy', 'modern'] as const)('calls the right server under the exposed name for a %s client', async (era) => {
    const client = era === 'legacy' ? await legacyClient(gateway.url(null)) : await modernClient(gateway.url(null));
    expect(textOf(await client.callTool({ name: 'old_echo', arguments: { message: 'x' } }))).toBe('legacy:x');
    expect(textOf(await client.callTool({ name: 'new_echo', arguments: { message: 'x' } }))).toBe('modern:x');
    await client.close();
  });
});

describe('what upstreams are told', () => {
  it('never sees what the client sent of itself (trap 23)', async () => {
    const client = new Client({ name: 'test', version: '1' });
    const headers = {
      authorization: 'Bearer ada',
      cookie: 'a=b',
      origin: 'http://127.0.0.1',
      'x-forwarded-for': '10.0.0.1',
      baggage: 'user=ada',
    };
    await client.connect(new StreamableHTTPClientTransport(new URL(gateway.url('old')), { requestInit: { headers } }));
    legacy.seenHeaders.length = 0;
    await client.callTool({ name: 'echo', arguments: { message: 'hi' } });
    const [seen] = legacy.seenHeaders;
    expect(seen).toMatchObject({ host: new URL(legacy.url).host, 'mcp-protocol-version': '2025-11-25' });
    expect(
      Object.keys(seen ?? {}).filter((name) => ['authorization', 'cookie', 'origin', 'x-forwarded-for', 'baggage'].includes(name)),
    ).toEqual([]);
    await client.close();
  });

  it('opens one upstream session for many first calls at once', async () => {
    const before = legacy.sessions().length;
    const clients = await Promise.all(Array.from({ length: 8 }, () => modernClient(gateway.url('old'), 'bob')));
    await Promise.all(clients.map((client) => client.callTool({ name: 'echo', arguments: { message: 'hi' } })));
    expect(legacy.sessions().length).toBe(before + 1);
    await Promise.all(clients.map((client) => client.close()));
  });
});
