import { setTimeout as sleep } from 'node:timers/promises';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { type LegacyUpstream, startLegacyUpstream } from '@patchbay/testkit';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type EventStream, openEvents } from './support/event-stream.ts';
import { startGateway, type TestGateway } from './support/gateway.ts';
import { modernInit } from './support/modern-call.ts';
import type { ServerSpec } from './support/snapshot.ts';

const LEFT = {
  id: '0d6c3f43-1f6e-4d3c-8a6c-0c2f0b6f1a01',
  slug: 'left',
  url: 'http://127.0.0.1:9/mcp',
  era: 'modern',
  tools: ['a', 'b'],
} as const;
const RIGHT = {
  id: '0d6c3f43-1f6e-4d3c-8a6c-0c2f0b6f1a02',
  slug: 'right',
  url: 'http://127.0.0.1:9/mcp',
  era: 'modern',
  tools: ['c'],
} as const;
const SUBSCRIPTION = 'io.modelcontextprotocol/subscriptionId';

let old: ServerSpec;
let gateway: TestGateway;
let legacy: LegacyUpstream;
const open: EventStream[] = [];

beforeEach(async () => {
  legacy = await startLegacyUpstream();
  old = { id: '0d6c3f43-1f6e-4d3c-8a6c-0c2f0b6f1a03', slug: 'old', url: legacy.url, era: 'legacy', tools: ['echo'] };
  gateway = await startGateway({ servers: [LEFT, RIGHT, old] });
});

afterEach(async () => {
  for (const stream of open.splice(0)) stream.close();
  await gateway.close();
  await legacy.close();
});

async function listen(
  slug: string | null,
  notifications: unknown,
  { id = 'sub-1', user = 'ada' }: { id?: unknown; user?: string } = {},
): Promise<EventStream> {
  const stream = await openEvents(gateway.url(slug), modernInit('subscriptions/listen', { notifications }, { id, user }));
  open.push(stream);
  return stream;
}

const methods = ({ messages }: EventStream): unknown[] => messages.map(({ method }) => method);
const changed = (server: ServerSpec, change: Partial<ServerSpec>): ServerSpec => ({ ...server, ...change });

async function acknowledged(stream: EventStream): Promise<void> {
  await vi.waitFor(() => expect(methods(stream)[0]).toBe('notifications/subscriptions/acknowledged'));
}

describe('subscriptions/listen', () => {
  it('acknowledges first, with what is honoured, and names the request by its own id', async () => {
    const stream = await listen('left', { toolsListChanged: true, promptsListChanged: false }, { id: 0 });
    await acknowledged(stream);
    expect(stream.status).toBe(200);
    expect(stream.headers.get('content-type')).toBe('text/event-stream');
    expect(stream.headers.get('x-accel-buffering')).toBe('no');
    expect(stream.messages).toEqual([
      {
        jsonrpc: '2.0',
        method: 'notifications/subscriptions/acknowledged',
        params: { notifications: { toolsListChanged: true }, _meta: { [SUBSCRIPTION]: 0 } },
      },
    ]);
  });

  it('says at the end of an empty subscription that nothing will come', async () => {
    const stream = await listen('left', {});
    await vi.waitFor(() => expect(stream.hasEnded()).toBe(true));
    expect(stream.messages[1]).toMatchObject({ id: 'sub-1', result: { resultType: 'complete', _meta: { [SUBSCRIPTION]: 'sub-1' } } });
  });

  it.each([[undefined], [[]], ['all'], [{ toolsListChanged: 'yes' }]])('refuses the filter %j', async (filter) => {
    const stream = await listen('left', filter);
    expect(stream.status).toBe(400);
    expect(stream.headers.get('content-type')).toBe('application/json');
  });

  it('tells of a list when the snapshot in which it has changed is served, and of no other list (trap 34)', async () => {
    const stream = await listen('left', { toolsListChanged: true, promptsListChanged: true, resourcesListChanged: true });
    await acknowledged(stream);
    gateway.publish([changed(LEFT, { tools: ['a', 'b', 'new'] }), RIGHT, old]);
    await vi.waitFor(() => expect(stream.messages).toHaveLength(2));
    expect(stream.messages[1]).toEqual({
      jsonrpc: '2.0',
      method: 'notifications/tools/list_changed',
      params: { _meta: { [SUBSCRIPTION]: 'sub-1' } },
    });
    const client = await connected();
    expect((await client.listTools()).tools.map(({ name }) => name)).toContain('new');
    await client.close();
  });

  it('tells only those who see the difference', async () => {
    const [left, right, everything] = [
      await listen('left', { toolsListChanged: true }),
      await listen('right', { toolsListChanged: true }),
      await listen(null, { toolsListChanged: true }),
    ];
    await Promise.all([left, right, everything].map(acknowledged));
    gateway.publish([LEFT, changed(RIGHT, { tools: ['c', 'd'] }), old]);
    await vi.waitFor(() => expect(methods(right)).toHaveLength(2));
    await vi.waitFor(() => expect(methods(everything)).toHaveLength(2));
    expect(methods(left)).toHaveLength(1);
  });

  it('tells of resources, at the aggregated endpoint too', async () => {
    const [right, everything] = [await listen('right', { resourcesListChanged: true }), await listen(null, { resourcesListChanged: true })];
    await Promise.all([right, everything].map(acknowledged));
    gateway.publish([changed(LEFT, { resources: ['note://new'] }), RIGHT, old]);
    await vi.waitFor(() => expect(methods(everything)).toContain('notifications/resources/list_changed'));
    expect(methods(right)).toHaveLength(1);
  });

  it('tells of what was not asked for to nobody', async () => {
    const stream = await listen('left', { promptsListChanged: true });
    await acknowledged(stream);
    gateway.publish([changed(LEFT, { tools: ['other'] }), RIGHT, old]);
    gateway.publish([changed(LEFT, { tools: ['other'], prompts: ['p'] }), RIGHT, old]);
    await vi.waitFor(() => expect(methods(stream)).toContain('notifications/prompts/list_changed'));
    expect(methods(stream)).not.toContain('notifications/tools/list_changed');
  });

  it('tells a storm of changes as few, the first at once and the last never lost (trap 27)', async () => {
    const stream = await listen('left', { toolsListChanged: true });
    await acknowledged(stream);
    for (let round = 1; round <= 50; round += 1) gateway.publish([changed(LEFT, { tools: ['a', `t${round}`] }), RIGHT, old]);
    await vi.waitFor(() => expect(stream.messages).toHaveLength(2), { timeout: 300 });
    gateway.publish([changed(LEFT, { tools: ['a', 'last'] }), RIGHT, old]);
    await vi.waitFor(() => expect(stream.messages.length).toBeGreaterThan(2), { timeout: 3_000 });
    await sleep(700);
    expect(stream.messages.length).toBeLessThanOrEqual(4);
  });

  it('ends with the grant to its endpoint, and with the server', async () => {
    const [left, everything] = [await listen('left', { toolsListChanged: true }), await listen(null, { toolsListChanged: true })];
    await Promise.all([left, everything].map(acknowledged));
    gateway.publish([RIGHT, old]);
    await vi.waitFor(() => expect(left.hasEnded()).toBe(true));
    await vi.waitFor(() =>
      expect(methods(everything)).toEqual(['notifications/subscriptions/acknowledged', 'notifications/tools/list_changed']),
    );
    expect(everything.hasEnded()).toBe(false);
  });

  it('is let go of by the pod when its client leaves', async () => {
    const streams = await Promise.all(Array.from({ length: 64 }, () => listen('left', { toolsListChanged: true })));
    await Promise.all(streams.map(acknowledged));
    const refused = await listen('left', { toolsListChanged: true });
    expect(refused.headers.get('content-type')).toBe('application/json');
    const other = await listen('left', { toolsListChanged: true }, { user: 'bob' });
    await acknowledged(other);
    streams[0]?.close();
    await vi.waitFor(async () =>
      expect((await listen('left', { toolsListChanged: true })).headers.get('content-type')).toBe('text/event-stream'),
    );
  });

  it('ends without a final result when the pod stops, and no other opens there (trap 34)', async () => {
    const stream = await listen('left', { toolsListChanged: true });
    await acknowledged(stream);
    gateway.streams.close();
    await vi.waitFor(() => expect(stream.hasEnded()).toBe(true));
    expect(stream.messages.filter(({ result }) => result !== undefined)).toEqual([]);
    expect((await listen('left', { toolsListChanged: true })).headers.get('content-type')).toBe('application/json');
  });

  it('serves the official client: advertised, acknowledged, told, and it knows an end from a final one', async () => {
    const client = await connected();
    expect(client.getServerCapabilities()).toMatchObject({ tools: { listChanged: true }, prompts: { listChanged: true } });
    const told = vi.fn();
    client.setNotificationHandler('notifications/tools/list_changed', told);
    const subscription = await client.listen({ toolsListChanged: true });
    expect(subscription.honoredFilter).toEqual({ toolsListChanged: true });
    gateway.publish([changed(LEFT, { tools: [] }), RIGHT, old]);
    await vi.waitFor(() => expect(told).toHaveBeenCalledTimes(1));
    gateway.streams.close();
    expect(await subscription.closed).toBe('remote');
    await client.close();
  });
});

describe('the stream of a client with a session', () => {
  it.each([['left'], ['old'], [null]])(
    'tells at the endpoint %s of lists that look different, after the catalogue (trap 34)',
    async (slug) => {
      const { session, stream } = await withSession(slug);
      gateway.publish([changed(LEFT, { tools: ['a', 'new'] }), RIGHT, changed(old, { tools: ['z'] })]);
      await vi.waitFor(() => expect(stream.messages).toEqual([{ jsonrpc: '2.0', method: 'notifications/tools/list_changed' }]));
      expect(session).not.toBe('');
    },
  );

  it('is told on one of several streams alone, and ends with the grant to its endpoint', async () => {
    const { session, stream: first } = await withSession('left');
    const second = await streamOf('left', session);
    gateway.publish([changed(LEFT, { tools: [] }), RIGHT, old]);
    await vi.waitFor(() => expect(second.messages).toHaveLength(1));
    expect(first.messages).toHaveLength(0);
    gateway.publish([RIGHT, old]);
    await vi.waitFor(() => expect([first.hasEnded(), second.hasEnded()]).toEqual([true, true]));
  });
});

const LEGACY_HEADERS = { authorization: 'Bearer ada', accept: 'application/json, text/event-stream', 'content-type': 'application/json' };

async function withSession(slug: string | null): Promise<{ session: string; stream: EventStream }> {
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params });
  const response = await fetch(gateway.url(slug), { method: 'POST', headers: LEGACY_HEADERS, body });
  expect(((await response.json()) as { result: object }).result).toMatchObject({ capabilities: { tools: { listChanged: true } } });
  const session = response.headers.get('mcp-session-id') ?? '';
  return { session, stream: await streamOf(slug, session) };
}

async function streamOf(slug: string | null, session: string): Promise<EventStream> {
  const headers = { authorization: 'Bearer ada', accept: 'text/event-stream', 'mcp-session-id': session };
  const stream = await openEvents(gateway.url(slug), { headers });
  open.push(stream);
  expect([stream.status, stream.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
  return stream;
}

async function connected(): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode: { pin: '2026-07-28' } } });
  const requestInit = { headers: { authorization: 'Bearer ada' } };
  await client.connect(new StreamableHTTPClientTransport(new URL(gateway.url('left')), { requestInit }));
  return client;
}
