import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { type LegacyUpstream, type ModernUpstream, startLegacyUpstream, startModernUpstream } from '@patchbay/testkit';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type EventStream, openEvents, type Received } from './support/event-stream.ts';
import { startGateway, type TestGateway } from './support/gateway.ts';
import { modernInit } from './support/modern-call.ts';
import { startRawUpstream, writeEvents } from './support/raw-upstream.ts';
import type { ServerSpec } from './support/snapshot.ts';

const SUBSCRIPTION = 'io.modelcontextprotocol/subscriptionId';
const UPDATED = 'notifications/resources/updated';
const CAPABILITIES = { resources: { subscribe: true } };

let modern: ModernUpstream;
let legacy: LegacyUpstream;
let servers: ServerSpec[];
let gateway: TestGateway;
const open: EventStream[] = [];

beforeEach(async () => {
  [modern, legacy] = [await startModernUpstream(), await startLegacyUpstream()];
  const spec = { tools: [], capabilities: CAPABILITIES };
  servers = [
    { ...spec, id: '0d6c3f43-1f6e-4d3c-8a6c-0c2f0b6f1b01', slug: 'new', url: modern.url, era: 'modern', resources: ['note://modern'] },
    { ...spec, id: '0d6c3f43-1f6e-4d3c-8a6c-0c2f0b6f1b02', slug: 'old', url: legacy.url, era: 'legacy', resources: ['note://one'] },
    {
      ...spec,
      id: '0d6c3f43-1f6e-4d3c-8a6c-0c2f0b6f1b03',
      slug: 'away',
      url: 'http://127.0.0.1:9/mcp',
      era: 'modern',
      resources: ['note://x'],
    },
    { id: '0d6c3f43-1f6e-4d3c-8a6c-0c2f0b6f1b04', slug: 'mute', url: modern.url, era: 'modern', tools: [], resources: ['note://modern'] },
  ];
  gateway = await startGateway({ servers });
});

afterEach(async () => {
  for (const stream of open.splice(0)) stream.close();
  await gateway.close();
  await Promise.all([modern.close(), legacy.close()]);
});

async function listen(slug: string | null, notifications: object): Promise<EventStream> {
  const stream = await openEvents(gateway.url(slug), modernInit('subscriptions/listen', { notifications }, { id: 'mine' }));
  open.push(stream);
  return stream;
}

async function honoured(stream: EventStream): Promise<unknown> {
  await vi.waitFor(() => expect(stream.messages).not.toHaveLength(0), { timeout: 5_000 });
  expect(stream.messages[0]?.method).toBe('notifications/subscriptions/acknowledged');
  return stream.messages[0]?.params?.['notifications'];
}

const said = ({ messages }: EventStream): Received[] => messages.slice(1);
const updated = (uri: string): object => ({ jsonrpc: '2.0', method: UPDATED, params: { uri, _meta: { [SUBSCRIPTION]: 'mine' } } });

const UPSTREAMS = [
  ['new', 'note://modern', () => modern],
  ['old', 'note://one', () => legacy],
] as const;

describe.each(UPSTREAMS)('a subscription to resources of the server %s', (slug, uri, upstream) => {
  it('stands at the server before it is acknowledged, and tells of updates under the id of its own request', async () => {
    const stream = await listen(slug, { resourceSubscriptions: [uri] });
    expect(await honoured(stream)).toEqual({ resourceSubscriptions: [uri] });
    upstream().updateResource(uri);
    await vi.waitFor(() => expect(said(stream)).toEqual([updated(uri)]));
  });

  it('tells of no other resource, and at the aggregated endpoint under the name that was asked for (trap 5)', async () => {
    const exposed = `patchbay+${slug}+${uri}`;
    const stream = await listen(null, { resourceSubscriptions: [exposed, 'note://nobody'], toolsListChanged: true });
    expect(await honoured(stream)).toEqual({ toolsListChanged: true, resourceSubscriptions: [exposed] });
    upstream().updateResource('note://other');
    upstream().updateResource(uri);
    await vi.waitFor(() => expect(said(stream)).toEqual([updated(exposed)]));
  });

  it('ends with the server’s own stream, so that its client comes back', async () => {
    const stream = await listen(slug, { resourceSubscriptions: [uri] });
    await honoured(stream);
    await upstream().close();
    await vi.waitFor(() => expect(stream.hasEnded()).toBe(true), { timeout: 5_000 });
    expect(stream.messages.every(({ result }) => result === undefined)).toBe(true);
  });

  it('ends with the right to what it tells of', async () => {
    const stream = await listen(null, { resourceSubscriptions: [`patchbay+${slug}+${uri}`] });
    await honoured(stream);
    gateway.publish(servers.filter((server) => server.slug !== slug));
    await vi.waitFor(() => expect(stream.hasEnded()).toBe(true));
  });

  it('serves the official client', async () => {
    const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode: { pin: '2026-07-28' } } });
    const requestInit = { headers: { authorization: 'Bearer ada' } };
    await client.connect(new StreamableHTTPClientTransport(new URL(gateway.url(slug)), { requestInit }));
    expect(client.getServerCapabilities()).toMatchObject({ resources: { listChanged: true, subscribe: true } });
    const told = vi.fn();
    client.setNotificationHandler(UPDATED, ({ params }) => told(params.uri));
    await client.listen({ resourceSubscriptions: [uri] });
    upstream().updateResource(uri);
    await vi.waitFor(() => expect(told).toHaveBeenCalledWith(uri));
    await client.close();
  });
});

it('leaves no session behind at a legacy server when the client goes', async () => {
  const stream = await listen('old', { resourceSubscriptions: ['note://one'] });
  await honoured(stream);
  expect(legacy.sessions()).toHaveLength(1);
  stream.close();
  await vi.waitFor(() => expect(legacy.sessions()).toHaveLength(0), { timeout: 5_000 });
});

it('a URI that the server does not take is not honoured, and the others are', async () => {
  const stream = await listen('old', { resourceSubscriptions: ['file:///refused', 'note://one'] });
  expect(await honoured(stream)).toEqual({ resourceSubscriptions: ['note://one'] });
});

it('of a server that is away nothing is honoured: the others tell all the same', async () => {
  const stream = await listen(null, { resourceSubscriptions: ['patchbay+away+note://x', 'patchbay+new+note://modern'] });
  expect(await honoured(stream)).toEqual({ resourceSubscriptions: ['patchbay+new+note://modern'] });
});

it('where all that was asked for is away, the answer says so', async () => {
  const stream = await listen('away', { resourceSubscriptions: ['note://x'] });
  expect(stream.headers.get('content-type')).toBe('application/json');
});

it('a server that takes no subscriptions is not asked, and does not advertise any', async () => {
  const stream = await listen('mute', { resourceSubscriptions: ['note://modern'], toolsListChanged: true });
  expect(await honoured(stream)).toEqual({ toolsListChanged: true });
});

it('a live server tells itself that its lists changed', async () => {
  const live = { id: servers[0]?.id ?? '', slug: 'live', url: modern.url, era: 'modern', tools: [], catalogueMode: 'live' } as const;
  gateway.publish([live]);
  const stream = await listen('live', { toolsListChanged: true });
  expect(await honoured(stream)).toEqual({ toolsListChanged: true });
  modern.addTool('of-the-moment');
  await vi.waitFor(() => expect(said(stream)).toMatchObject([{ method: 'notifications/tools/list_changed' }]));
  expect(said(stream)[0]?.params?.['_meta']).toEqual({ [SUBSCRIPTION]: 'mine' });
});

it('members of a filter that no revision has pass to a modern server, and what it tells of them back (trap 16)', async () => {
  const told = '{"jsonrpc":"2.0","method":"notifications/com.example/x","params":{"n":12345678901234567890,"_meta":{"a":1}}}';
  const upstream = await startRawUpstream(({ message }, response) => {
    const notifications = message.params?.['notifications'];
    writeEvents(response, { jsonrpc: '2.0', method: 'notifications/subscriptions/acknowledged', params: { notifications } });
    response.write(`data: ${told}\n\n`);
  });
  gateway.publish([{ id: servers[0]?.id ?? '', slug: 'raw', url: upstream.url, era: 'modern', tools: [] }]);
  const stream = await listen('raw', { 'com.example/x': ['a'] });
  expect(await honoured(stream)).toEqual({ 'com.example/x': ['a'] });
  await vi.waitFor(() => expect(said(stream)[0]?.method).toBe('notifications/com.example/x'));
  expect(said(stream)[0]?.params?.['_meta']).toEqual({ [SUBSCRIPTION]: 'mine', a: 1 });
  expect(upstream.seen[0]?.message.params?.['notifications']).toEqual({ 'com.example/x': ['a'] });
  await upstream.close();
});

it('more URIs than a server should be asked for are refused', async () => {
  const stream = await listen('new', { resourceSubscriptions: Array.from({ length: 257 }, (_, index) => `note://${index}`) });
  expect(stream.status).toBe(400);
});
