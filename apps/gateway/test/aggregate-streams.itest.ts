import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema, ResourceUpdatedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AskingUpstream, startAskingUpstream } from './support/asking-upstream.ts';
import { type Pods, startPods } from './support/pods.ts';

const TOOLS = ['ask_elsewhere', 'withdraws_elsewhere', 'progress_elsewhere', 'touch', 'log'];

let one: AskingUpstream;
let other: AskingUpstream;
let gateways: Pods;
const clients: Client[] = [];

beforeEach(async () => {
  [one, other] = await Promise.all([startAskingUpstream({ isNumbered: true }), startAskingUpstream({ isNumbered: false })]);
  const spec = { era: 'legacy', tools: TOOLS } as const;
  gateways = await startPods({
    servers: [
      { ...spec, id: '0d6c3f43-1f6e-4d3c-8a6c-0c2f0b6f1b11', slug: 'one', url: one.url },
      { ...spec, id: '0d6c3f43-1f6e-4d3c-8a6c-0c2f0b6f1b12', slug: 'other', url: other.url },
    ],
  });
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await gateways.close();
  await Promise.all([one.close(), other.close()]);
});

type Connected = { readonly client: Client; readonly asked: string[]; readonly updated: string[] };

/** A client of revision 2025-11-25 on the official SDK at the aggregated endpoint, each of whose requests another pod gets, its stream included. */
async function connect(): Promise<Connected> {
  const client = new Client({ name: 'hearing', version: '1' }, { capabilities: { elicitation: {} } });
  const [asked, updated]: [string[], string[]] = [[], []];
  client.setRequestHandler(ElicitRequestSchema, ({ params }) => {
    asked.push(params.message);
    return { action: 'accept', content: { name: `Ada ${asked.length}` } };
  });
  client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => void updated.push(params.uri));
  const requestInit = { headers: { authorization: 'Bearer ada' } };
  await client.connect(
    new StreamableHTTPClientTransport(new URL(gateways.pods[0]?.url(null) ?? ''), { fetch: gateways.fetch, requestInit }),
  );
  clients.push(client);
  await expect.poll(() => holder()).toBeGreaterThanOrEqual(0);
  return { client, asked, updated };
}

const holder = (): number => gateways.pods.findIndex(({ streams }) => streams.count() > 0);
const streamsOf = ({ seen }: AskingUpstream): number => seen.filter(({ method }) => method === 'GET').length;
const call = async (client: Client, name: string): Promise<unknown> => (await client.callTool({ name })).content;

describe('the stream of a session at the aggregated endpoint', () => {
  it('carries what servers ask outside of their calls, and the answers of its client find them through any pod', async () => {
    const { asked, client } = await connect();
    expect(await call(client, 'one_ask_elsewhere')).toEqual([{ type: 'text', text: 'Hello Ada 1' }]);
    expect(await call(client, 'other_ask_elsewhere')).toEqual([{ type: 'text', text: 'Hello Ada 2' }]);
    expect(asked).toEqual(['Server "one" asks: Your name?', 'Server "other" asks: Your name?']);
  });

  it('has a question taken back that its server gave up', async () => {
    const { client } = await connect();
    const withdrawn = new Promise<boolean>((resolve) => {
      client.setRequestHandler(ElicitRequestSchema, async (_request, { signal }) => {
        await new Promise((taken) => signal.addEventListener('abort', taken));
        resolve(true);
        return { action: 'cancel' };
      });
    });
    await call(client, 'one_withdraws_elsewhere');
    expect(await withdrawn).toBe(true);
  });

  it('opens nothing at servers that the session does not use, and one stream at each that it does', async () => {
    const { client, updated } = await connect();
    expect([streamsOf(one), streamsOf(other)]).toEqual([0, 0]);
    await call(client, 'one_touch');
    await call(client, 'one_touch');
    await expect.poll(() => updated).toEqual(['patchbay+one+note://one', 'patchbay+one+note://one']);
    expect([streamsOf(one), streamsOf(other)]).toEqual([1, 0]);
  });

  it('goes on at another pod when its pod drains, with what was said meanwhile (trap 34)', async () => {
    const { client, updated } = await connect();
    await call(client, 'one_touch');
    await call(client, 'other_touch');
    await expect.poll(() => updated).toHaveLength(2);
    const drained = holder();
    gateways.pods[drained]?.streams.close();
    gateways.remove(drained);
    await call(client, 'one_touch');
    await expect.poll(() => updated, { timeout: 5_000 }).toHaveLength(3);
    await expect.poll(() => streamsOf(other), { timeout: 5_000 }).toBe(2);
    await call(client, 'other_touch');
    await expect.poll(() => updated).toHaveLength(4);
    await gateways.pods[drained]?.close();
  });

  it('is of the new session when a server has lost the old one', async () => {
    const { client, updated } = await connect();
    await call(client, 'one_touch');
    one.forgetSessions();
    await call(client, 'one_touch');
    await expect.poll(() => updated).toHaveLength(2);
  });

  it('is of the one session that stands when two pods opened one with a server at once', async () => {
    const { client, updated } = await connect();
    await Promise.all([call(client, 'one_touch'), call(client, 'one_touch')]);
    expect(one.opened).toHaveLength(2);
    const before = updated.length;
    await call(client, 'one_touch');
    await expect.poll(() => updated.length).toBeGreaterThan(before);
    expect(streamsOf(one)).toBe(1);
  });
});
