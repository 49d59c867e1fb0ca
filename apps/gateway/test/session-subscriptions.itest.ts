import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ResourceUpdatedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { type LegacyUpstream, type ModernUpstream, startLegacyUpstream, startModernUpstream } from '@patchbay/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Pods, startPods } from './support/pods.ts';

let modern: ModernUpstream;
let legacy: LegacyUpstream;
let gateways: Pods;
const clients: Client[] = [];

beforeEach(async () => {
  [modern, legacy] = await Promise.all([startModernUpstream(), startLegacyUpstream()]);
  const spec = { tools: ['echo'], capabilities: { resources: { subscribe: true } } };
  gateways = await startPods({
    servers: [
      { ...spec, id: '0d6c3f43-1f6e-4d3c-8a6c-0c2f0b6f1b01', slug: 'new', url: modern.url, era: 'modern', resources: ['note://modern'] },
      { ...spec, id: '0d6c3f43-1f6e-4d3c-8a6c-0c2f0b6f1b02', slug: 'old', url: legacy.url, era: 'legacy', resources: ['note://one'] },
    ],
  });
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await gateways.close();
  await Promise.all([modern.close(), legacy.close()]);
});

/** A client of revision 2025-11-25 on the official SDK, each of whose requests another pod gets, its stream included. */
async function connect(slug: string | null): Promise<{ client: Client; updated: string[] }> {
  const client = new Client({ name: 'subscriber', version: '1' });
  const updated: string[] = [];
  client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => void updated.push(params.uri));
  const requestInit = { headers: { authorization: 'Bearer ada' } };
  await client.connect(
    new StreamableHTTPClientTransport(new URL(gateways.pods[0]?.url(slug) ?? ''), { fetch: gateways.fetch, requestInit }),
  );
  clients.push(client);
  await expect.poll(() => gateways.pods.some(({ streams }) => streams.count() > 0)).toBe(true);
  return { client, updated };
}

describe.each([
  ['a modern server, at its own endpoint', 'new', 'note://modern', () => modern],
  ['a modern server, at the aggregated endpoint', null, 'note://modern', () => modern],
  ['a legacy server, at the aggregated endpoint', null, 'note://one', () => legacy],
  ['a legacy server, under its exposed name', null, 'patchbay+old+note://one', () => legacy],
] as const)('a session that subscribes to a resource of %s', (_where, slug, uri, upstream) => {
  const own = uri.replace(/^patchbay\+old\+/, '');

  it('is told of updates on its stream, whichever pod holds it, under the name that it asked for', async () => {
    const { client, updated } = await connect(slug);
    expect(client.getServerCapabilities()?.resources).toEqual({ listChanged: true, subscribe: true });
    await client.subscribeResource({ uri });
    upstream().updateResource('note://other');
    upstream().updateResource(own);
    await expect.poll(() => updated).toEqual([uri]);
  });

  it('is told no more when it has unsubscribed', async () => {
    const { client, updated } = await connect(slug);
    await client.subscribeResource({ uri });
    await client.unsubscribeResource({ uri });
    upstream().updateResource(own);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(updated).toEqual([]);
  });

  it('is told again when it comes back for its stream, on another pod', async () => {
    const { client, updated } = await connect(slug);
    await client.subscribeResource({ uri });
    const holder = gateways.pods.findIndex(({ streams }) => streams.count() > 0);
    const others = (): number => gateways.pods.reduce((sum, { streams }, index) => sum + (index === holder ? 0 : streams.count()), 0);
    gateways.pods[holder]?.streams.close();
    await expect.poll(others, { timeout: 10_000 }).toBe(1);
    // The stream stands when its subscriptions do.
    await expect
      .poll(
        () => {
          upstream().updateResource(own);
          return updated.length > 0;
        },
        { timeout: 5_000 },
      )
      .toBe(true);
    expect(new Set(updated)).toEqual(new Set([uri]));
  });
});

it('a resource of nobody is refused like one that may not be read, and nothing is recorded', async () => {
  const { client } = await connect(null);
  await expect(client.subscribeResource({ uri: 'note://nobody' })).rejects.toMatchObject({ code: -32002 });
  expect([...gateways.store.values.keys()].some((key) => key.includes('session-state/'))).toBe(false);
});

it('leaves no session behind at a legacy server when the client ends its own', async () => {
  const { client } = await connect(null);
  await client.subscribeResource({ uri: 'note://one' });
  expect(legacy.sessions()).toHaveLength(1);
  await (client.transport as StreamableHTTPClientTransport).terminateSession();
  await expect.poll(() => legacy.sessions()).toEqual([]);
});

it('counts a resource as updated when its server ended the subscription: nobody knows what was missed', async () => {
  const { client, updated } = await connect(null);
  await client.subscribeResource({ uri: 'patchbay+old+note://one' });
  legacy.cutStreams();
  await expect.poll(() => updated, { timeout: 5_000 }).toEqual(['patchbay+old+note://one']);
});
