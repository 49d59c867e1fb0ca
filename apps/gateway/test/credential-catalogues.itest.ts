import { randomUUID } from 'node:crypto';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { type KeyedUpstream, startKeyedUpstream } from '@patchbay/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import { openEvents } from './support/event-stream.ts';
import { startGateway, type TestGateway } from './support/gateway.ts';
import { modernInit } from './support/modern-call.ts';
import type { ServerSpec } from './support/snapshot.ts';

const closing: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()));
});

/** The control plane's word on the credential of a registration: its generation is the key that the server is asked with. */
const release = async (_path: string, body: string): Promise<{ status: number; body: Buffer }> => {
  const { generation } = JSON.parse(body) as { generation: string };
  return { status: 200, body: Buffer.from(JSON.stringify({ headers: { 'x-key': generation } })) };
};

async function gatewayOf(...servers: ServerSpec[]): Promise<TestGateway> {
  const gateway = await startGateway({ servers, releaseCredential: release });
  closing.push(() => gateway.close());
  return gateway;
}

async function upstreamOf(era: 'legacy' | 'modern', offers: Record<string, string[]>): Promise<KeyedUpstream> {
  const upstream = await startKeyedUpstream(era, offers);
  closing.push(() => upstream.close());
  return upstream;
}

/** What discovery found, with the credential that an admin nominates, are `common` and `reference`. */
function serverAt(upstream: { readonly url: string }, era: 'legacy' | 'modern', more: Partial<ServerSpec> = {}): ServerSpec {
  const found = { url: upstream.url, era, tools: ['common', 'reference'] } as const;
  return { slug: 'keyed', ...found, hasCredential: true, generation: 'ada', catalogueMode: 'per-credential', ...more };
}

async function connect(gateway: TestGateway, slug: string | null): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' });
  await client.connect(new StreamableHTTPClientTransport(new URL(gateway.url(slug))));
  closing.push(() => client.close());
  return client;
}

const namesOf = async (client: Client): Promise<string[]> => (await client.listTools()).tools.map(({ name }) => name);
const called = async (client: Client, name: string): Promise<unknown> => {
  try {
    return (await client.callTool({ name, arguments: {} })).content;
  } catch (error) {
    return (error as { code: number }).code;
  }
};
const said = (text: string): unknown => [{ type: 'text', text }];
const UNKNOWN_TOOL = -32602;

async function list(gateway: TestGateway): Promise<{ names: string[]; servers: unknown }> {
  const { result } = (await (await fetch(gateway.url(null), modernInit('tools/list'))).json()) as {
    result: { tools: { name: string }[]; _meta: Record<string, unknown> };
  };
  return { names: result.tools.map(({ name }) => name), servers: result._meta['com.patchbay/servers'] };
}

describe.each(['legacy', 'modern'] as const)('a server of the %s era that offers each credential its own', (era) => {
  it('is listed and called as it offers it to the caller’s, at its own endpoint and among others', async () => {
    const gateway = await gatewayOf(serverAt(await upstreamOf(era, { ada: ['mine'], bob: ['theirs'] }), era));
    const own = await connect(gateway, 'keyed');
    expect(await called(own, 'mine')).toEqual(said('ada:mine'));
    expect(await namesOf(own)).toEqual(['common', 'mine']);
    const all = await connect(gateway, null);
    expect(await namesOf(all)).toEqual(['keyed_common', 'keyed_mine']);
    for (const name of ['keyed_mine', 'mine']) expect(await called(all, name)).toEqual(said('ada:mine'));
    // What discovery alone was offered is not there for this credential, and another’s is not either.
    const missing = ['keyed_reference', 'reference', 'keyed_theirs'].map((name) => called(all, name));
    expect(await Promise.all([...missing, called(own, 'reference')])).toEqual(Array.from({ length: 4 }, () => UNKNOWN_TOOL));
  });

  it('is listed anew for another generation of the credential, and what the one before was offered is gone', async () => {
    const upstream = await upstreamOf(era, { ada: ['mine'], rotated: ['other'] });
    const id = randomUUID();
    const gateway = await gatewayOf(serverAt(upstream, era, { id }));
    expect((await list(gateway)).names).toEqual(['keyed_common', 'keyed_mine']);
    gateway.publish([serverAt(upstream, era, { id, generation: 'rotated' })]);
    expect(await list(gateway)).toEqual({ names: ['keyed_common', 'keyed_other'], servers: undefined });
    expect(await called(await connect(gateway, null), 'keyed_mine')).toBe(UNKNOWN_TOOL);
  });

  it('is the same to every pod: what one has listed another finds', async () => {
    const upstream = await upstreamOf(era, { ada: [] });
    const [one, other] = [await gatewayOf(serverAt(upstream, era)), await gatewayOf(serverAt(upstream, era))];
    const client = await connect(other, null);
    expect(await namesOf(client)).toEqual(['keyed_common']);
    upstream.offer('ada', 'late');
    expect((await list(one)).names).toEqual(['keyed_common', 'keyed_late']);
    expect(await called(client, 'keyed_late')).toEqual(said('ada:late'));
  });
});

it('two registrations of one server with two credentials show each what that one is offered, under any name', async () => {
  const upstream = await upstreamOf('modern', { ada: ['mine'], bob: ['theirs'] });
  const gateway = await gatewayOf(serverAt(upstream, 'modern'), serverAt(upstream, 'modern', { slug: 'other', generation: 'bob' }));
  expect((await list(gateway)).names).toEqual(['keyed_common', 'keyed_mine', 'other_common', 'other_theirs']);
  const client = await connect(gateway, null);
  expect(await called(client, 'other_theirs')).toEqual(said('bob:theirs'));
  expect(await called(client, 'theirs')).toEqual(said('bob:theirs'));
  expect(await Promise.all(['other_mine', 'keyed_theirs'].map((name) => called(client, name)))).toEqual([UNKNOWN_TOOL, UNKNOWN_TOOL]);
});

it('grants decide on what a credential is offered as on anything else', async () => {
  const upstream = await upstreamOf('modern', { ada: ['mine', 'more'] });
  const gateway = await gatewayOf(serverAt(upstream, 'modern', { grantedTools: ['mine', 'reference'] }));
  expect((await list(gateway)).names).toEqual(['keyed_mine']);
  const client = await connect(gateway, 'keyed');
  expect(await called(client, 'mine')).toEqual(said('ada:mine'));
  const refused = await Promise.all(['more', 'common', 'reference'].map((name) => called(client, name)));
  expect(refused).toEqual([UNKNOWN_TOOL, UNKNOWN_TOOL, UNKNOWN_TOOL]);
});

it('a server that does not say holds nobody up: its reference is listed, and what it last said once it has said something', async () => {
  const upstream = await startKeyedUpstream('modern', { ada: ['mine'] });
  const plain: ServerSpec = { slug: 'plain', url: upstream.url, era: 'modern', tools: ['common'] };
  const [known, unknown] = [await gatewayOf(serverAt(upstream, 'modern'), plain), await gatewayOf(serverAt(upstream, 'modern'), plain)];
  expect((await list(known)).names).toEqual(['keyed_common', 'keyed_mine', 'plain_common']);
  await upstream.close();
  expect(await list(unknown)).toEqual({
    names: ['keyed_common', 'keyed_reference', 'plain_common'],
    servers: { keyed: { status: 'reference' } },
  });
  await new Promise((resolve) => setTimeout(resolve, 2_100));
  expect((await list(known)).names).toEqual(['keyed_common', 'keyed_mine', 'plain_common']);
});

it('a call whose tool is known sends nothing but itself', async () => {
  const upstream = await upstreamOf('modern', { ada: ['mine'] });
  const gateway = await gatewayOf(serverAt(upstream, 'modern'));
  const client = await connect(gateway, null);
  await client.listTools();
  upstream.seen.length = 0;
  for (let call = 0; call < 3; call += 1) expect(await called(client, 'keyed_mine')).toEqual(said('ada:mine'));
  expect(upstream.seen).toEqual(Array.from({ length: 3 }, () => 'ada tools/call'));
});

const offersLate = expect.arrayContaining(['keyed_late']);

/** On the stream of a session; at the aggregated endpoint of one that the server is used in. */
async function heardInSession(slug: string | null): Promise<void> {
  const upstream = await upstreamOf('legacy', { ada: [] });
  const [gateway, other] = [await gatewayOf(serverAt(upstream, 'legacy')), await gatewayOf(serverAt(upstream, 'legacy'))];
  const client = await connect(gateway, slug);
  let told = 0;
  client.setNotificationHandler(ToolListChangedNotificationSchema, () => void (told += 1));
  await called(client, slug === null ? 'keyed_common' : 'common');
  // The stream that the client asks for once it has initialised, and the server's own beneath it.
  await new Promise((resolve) => setTimeout(resolve, 300));
  await list(other);
  upstream.offer('ada', 'late');
  await expect.poll(() => told, { timeout: 10_000, interval: 20 }).toBeGreaterThan(0);
  expect((await list(other)).names).toEqual(offersLate);
  expect((await list(gateway)).names).toEqual(offersLate);
}

async function heardByListening(): Promise<void> {
  const upstream = await upstreamOf('modern', { ada: [] });
  const gateway = await gatewayOf(serverAt(upstream, 'modern'));
  const listen = modernInit('subscriptions/listen', { notifications: { toolsListChanged: true } });
  const stream = await openEvents(gateway.url('keyed'), listen);
  closing.push(async () => stream.close());
  const methods = (): unknown[] => stream.messages.map(({ method }) => method);
  await expect.poll(methods).toEqual(['notifications/subscriptions/acknowledged']);
  await list(gateway);
  upstream.offer('ada', 'late');
  await expect.poll(methods, { timeout: 10_000, interval: 20 }).toContain('notifications/tools/list_changed');
  expect((await list(gateway)).names).toEqual(offersLate);
}

it('that a server changed what it offers a credential is heard by its callers, and whoever asks then is told, by any pod', async () => {
  await Promise.all([heardInSession('keyed'), heardInSession(null), heardByListening()]);
});
