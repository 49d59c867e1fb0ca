import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { WebSocketClientTransport } from '@modelcontextprotocol/sdk/client/websocket.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { MODERN_ASKING_TOOLS, type ModernAskingUpstream, startModernAskingUpstream } from '@patchbay/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Pods, startPods } from './support/pods.ts';

let upstream: ModernAskingUpstream;
let gateways: Pods;

beforeEach(async () => {
  upstream = await startModernAskingUpstream();
  gateways = await startPods({
    servers: [{ id: '6f5c1a52-0c8e-4a35-9d0f-6f5a2f3b7c11', slug: 'new', url: upstream.url, era: 'modern', tools: MODERN_ASKING_TOOLS }],
  });
});

afterEach(async () => {
  await gateways.close();
  await upstream.close();
});

const address = (last: string): URL => new URL(gateways.pods[0]?.url('new').replace(/mcp$/, last) ?? '');

/** Each POST to the next pod, the stream's own among them. */
const balanced: typeof fetch = (input, init) => {
  const url = new URL(input instanceof Request ? input.url : input);
  if (init?.method !== 'POST') return fetch(url, init);
  turn += 1;
  return fetch(new URL(url.pathname + url.search, gateways.pods[turn % gateways.pods.length]?.url(null)), init);
};
let turn = 0;

const TRANSPORTS = {
  'HTTP+SSE, its answers posted to another pod': () => new SSEClientTransport(address('sse'), { fetch: balanced }),
  WebSocket: () => new WebSocketClientTransport(new URL(address('ws').href.replace('http', 'ws'))),
};

test.each(Object.entries(TRANSPORTS))('a client over %s is asked by a server while its call runs', async (_name, open) => {
  const client = new Client({ name: 'asked', version: '7' }, { capabilities: { elicitation: {} } });
  client.setRequestHandler(ElicitRequestSchema, () => ({ action: 'accept', content: { value: 'mine' } }));
  // Who presents no token is `ada` here, and a WebSocket's request needs one of its own.
  const Native = globalThis.WebSocket;
  globalThis.WebSocket = class extends Native {
    constructor(url: string, protocols: string) {
      super(url, { protocols, headers: { authorization: 'Bearer ada' } } as unknown as string);
    }
  } as typeof Native;
  try {
    await client.connect(open());
  } finally {
    globalThis.WebSocket = Native;
  }
  const { content } = await client.callTool({ name: 'ask_name' });
  expect(JSON.parse((content as { text: string }[])[0]?.text ?? '')).toEqual({ action: 'accept', content: { value: 'mine' } });
  await client.close();
});
