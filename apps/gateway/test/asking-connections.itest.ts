import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { MODERN_ASKING_TOOLS, type ModernAskingUpstream, startModernAskingUpstream } from '@patchbay/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type AskingUpstream, startAskingUpstream } from './support/asking-upstream.ts';
import { type Pods, startPods } from './support/pods.ts';
import { connectOverWebSocket } from './support/web-socket-client.ts';

let modern: ModernAskingUpstream;
let legacy: AskingUpstream;
let gateways: Pods;
let turn = 0;
const clients: Client[] = [];

beforeEach(async () => {
  [modern, legacy] = await Promise.all([startModernAskingUpstream(), startAskingUpstream({ isNumbered: true })]);
  const tools = ['ask', 'ask_twice', 'ask_elsewhere', 'cut'];
  gateways = await startPods({
    servers: [
      { id: '6f5c1a52-0c8e-4a35-9d0f-6f5a2f3b7c11', slug: 'new', url: modern.url, era: 'modern', tools: MODERN_ASKING_TOOLS },
      { id: '6f5c1a52-0c8e-4a35-9d0f-6f5a2f3b7c12', slug: 'old', url: legacy.url, era: 'legacy', tools },
    ],
  });
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await gateways.close();
  await Promise.all([modern.close(), legacy.close()]);
});

const address = (slug: string, last: string): URL => new URL(gateways.pods[0]?.url(slug).replace(/mcp$/, last) ?? '');

/** Each POST to the next pod, the stream's own among them. */
const balanced: typeof fetch = (input, init) => {
  const url = new URL(input instanceof Request ? input.url : input);
  if (init?.method !== 'POST') return fetch(url, init);
  turn += 1;
  return fetch(new URL(url.pathname + url.search, gateways.pods[turn % gateways.pods.length]?.url(null)), init);
};

const CLI = join(import.meta.dirname, '../../cli/dist/main.js');

/** Who presents no token is `ada` here; a WebSocket's request needs one of its own. */
const CONNECTIONS = {
  'HTTP+SSE, its answers posted to another pod': (client: Client, slug: string) =>
    client.connect(new SSEClientTransport(address(slug, 'sse'), { fetch: balanced })),
  WebSocket: (client: Client, slug: string) => connectOverWebSocket(client, address(slug, 'ws').href.replace('http', 'ws')),
  'patchbay connect': (client: Client, slug: string) =>
    client.connect(
      new StdioClientTransport({
        command: process.execPath,
        args: [CLI, 'connect', address(slug, 'mcp').href],
        env: { PATCHBAY_TOKEN: 'ada', PATCHBAY_HOME: '/nonexistent' },
      }),
    ),
};
const NAMES = Object.keys(CONNECTIONS) as (keyof typeof CONNECTIONS)[];

async function connect(name: keyof typeof CONNECTIONS, slug: string): Promise<Client> {
  const client = new Client({ name: 'asked', version: '7' }, { capabilities: { elicitation: {} } });
  client.setRequestHandler(ElicitRequestSchema, () => ({ action: 'accept', content: { name: 'Ada', value: 'mine' } }));
  await CONNECTIONS[name](client, slug);
  clients.push(client);
  return client;
}

async function textOf(client: Client, name: string): Promise<string> {
  const { content } = await client.callTool({ name });
  return (content as { text: string }[])[0]?.text ?? '';
}

test.each(NAMES)('a client over %s is asked by a server of 2026-07-28 while its call runs', async (name) => {
  const client = await connect(name, 'new');
  expect(JSON.parse(await textOf(client, 'ask_name'))).toMatchObject({ action: 'accept', content: { value: 'mine' } });
});

test.each(NAMES)('a client over %s is asked by a server of 2025-11-25, on the call’s stream and on the server’s own', async (name) => {
  const client = await connect(name, 'old');
  expect(await textOf(client, 'ask')).toBe('Hello Ada');
  await expect.poll(() => textOf(client, 'ask_elsewhere'), { timeout: 10_000 }).toContain('Ada');
});

test.each(NAMES)('a client over %s gets the answer of a call whose stream its server cut', async (name) => {
  const client = await connect(name, 'old');
  expect(await textOf(client, 'cut')).toBe('after the cut');
});
