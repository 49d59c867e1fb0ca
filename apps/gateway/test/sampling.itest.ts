import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { CreateMessageRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { type ModernAskingUpstream, startModernAskingUpstream } from '@patchbay/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AskingUpstream, startAskingUpstream } from './support/asking-upstream.ts';
import { modernCall } from './support/modern-call.ts';
import { type Pods, startPods } from './support/pods.ts';
import type { ServerSpec } from './support/snapshot.ts';

const REFUSED = 'This server may not ask its clients for completions.';

let old: AskingUpstream;
let modern: ModernAskingUpstream;
let gateways: Pods;
const clients: Client[] = [];

const servers = (sampling: 'relayed' | 'refused'): ServerSpec[] => {
  const tools = ['sample', 'sample_elsewhere'];
  return [
    { id: '0d6c3f43-1f6e-4d3c-8a6c-0c2f0b6f1b21', slug: 'old', url: old.url, era: 'legacy', tools, sampling },
    { id: '0d6c3f43-1f6e-4d3c-8a6c-0c2f0b6f1b22', slug: 'new', url: modern.url, era: 'modern', tools: ['ask_completion'], sampling },
  ];
};

beforeEach(async () => {
  [old, modern] = await Promise.all([startAskingUpstream({ isNumbered: true }), startModernAskingUpstream()]);
  gateways = await startPods({ servers: servers('refused') });
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await gateways.close();
  await Promise.all([old.close(), modern.close()]);
});

const publish = (sampling: 'relayed' | 'refused'): void => {
  for (const pod of gateways.pods) pod.publish(servers(sampling));
};

type Asked = { readonly client: Client; readonly contexts: (string | undefined)[] };

/** A client of revision 2025-11-25 on the official SDK that samples, each of whose requests another pod gets. */
async function connect(slug: string | null): Promise<Asked> {
  const client = new Client({ name: 'sampling', version: '1' }, { capabilities: { sampling: {}, roots: {} } });
  const contexts: (string | undefined)[] = [];
  client.setRequestHandler(CreateMessageRequestSchema, ({ params }) => {
    contexts.push(params.includeContext);
    return { role: 'assistant', model: 'clients-own', content: { type: 'text', text: 'Hello' } };
  });
  const requestInit = { headers: { authorization: 'Bearer ada' } };
  await client.connect(
    new StreamableHTTPClientTransport(new URL(gateways.pods[0]?.url(slug) ?? ''), { fetch: gateways.fetch, requestInit }),
  );
  clients.push(client);
  await expect.poll(() => gateways.pods.some(({ streams }) => streams.count() > 0)).toBe(true);
  return { client, contexts };
}

const call = async (client: Client, name: string): Promise<string> => JSON.stringify((await client.callTool({ name })).content);
const onPod = (slug: string): string => gateways.pods[0]?.url(slug) ?? '';

describe('a server that may not ask for completions', () => {
  it.each([
    ['at its own endpoint', 'old', ''],
    ['among others', null, 'old_'],
  ])('is told so, and not that its client samples: two with sessions, %s (trap 26)', async (_where, slug, prefix) => {
    const { client, contexts } = await connect(slug);
    expect(await call(client, `${prefix}sample`)).toContain(REFUSED);
    expect(await call(client, `${prefix}sample_elsewhere`)).toContain(REFUSED);
    expect(old.opened).toEqual([{ roots: {} }]);
    expect(contexts).toEqual([]);
  });

  it('is told so by a modern client’s call, which goes on (trap 26)', async () => {
    const { json } = await modernCall(onPod('old'), { name: 'sample' });
    expect(JSON.stringify(json.result?.['content'])).toContain(REFUSED);
    expect(old.opened).toEqual([expect.not.objectContaining({ sampling: expect.anything() as unknown })]);
  });

  it.each(['legacy', 'modern'])('gets no completion of a %s client by its answers, where it speaks 2026-07-28 (trap 26)', async (era) => {
    if (era === 'legacy') {
      const { client, contexts } = await connect(null);
      expect(await client.callTool({ name: 'new_ask_completion' }).catch(String)).toBeDefined();
      expect(contexts).toEqual([]);
    } else {
      const { json } = await modernCall(onPod('new'), { name: 'ask_completion' });
      expect(json.result?.['resultType']).not.toBe('input_required');
    }
    expect(modern.called).toEqual(['ask_completion']);
    expect(modern.clients[0]?.capabilities).toEqual(expect.not.objectContaining({ sampling: expect.anything() as unknown }));
  });

  it('is refused from when that is in force, on streams that stand, too', async () => {
    publish('relayed');
    const { client } = await connect(null);
    expect(await call(client, 'old_sample_elsewhere')).toContain('clients-own');
    publish('refused');
    expect(await call(client, 'old_sample_elsewhere')).toContain(REFUSED);
    expect(await call(client, 'old_sample')).toContain(REFUSED);
  });
});

describe('a server that may', () => {
  it('gets its completion, without the context of others where the client gives none, or cannot tell them apart (trap 26)', async () => {
    publish('relayed');
    for (const [slug, prefix] of [
      [null, 'old_'],
      ['old', ''],
    ] as const) {
      const { client, contexts } = await connect(slug);
      expect(await call(client, `${prefix}sample`)).toContain('clients-own');
      expect(await call(client, `${prefix}sample_elsewhere`)).toContain('clients-own');
      expect(contexts).toEqual(['none', 'none']);
    }
    const { client } = await connect(null);
    expect(await call(client, 'new_ask_completion')).toContain('Hello');
  });
});
