import { randomUUID } from 'node:crypto';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Pods, startPods } from './support/pods.ts';
import { EVERYTHING, type HostProcess, type Launches, startHostProcess, startLaunches } from './support/stdio-hosts.ts';

const TOOLS = ['trigger-elicitation-request', 'trigger-sampling-request', 'get-roots-list'];

let launches: Launches;
let host: HostProcess;
let balanced: Pods;
let client: Client;

beforeEach(async () => {
  launches = await startLaunches();
  host = await startHostProcess(launches);
  const id = randomUUID();
  launches.specs.set(id, {
    generation: 'g1',
    slug: 'everything',
    command: 'node',
    args: [EVERYTHING],
    env: {},
    isolation: 'session',
    dial: null,
    egress: { targets: [], openings: [] },
  });
  const server = { id, slug: 'everything', url: null, era: 'legacy', tools: TOOLS, requestMs: 40_000 } as const;
  balanced = await startPods({ servers: [server], stdioHostUrls: [host.url] });
  client = new Client(
    { name: 'test', version: '1' },
    { versionNegotiation: { mode: { pin: '2026-07-28' } }, capabilities: { elicitation: { form: {} }, sampling: {}, roots: {} } },
  );
  client.setRequestHandler('elicitation/create', async () => ({ action: 'accept', content: { name: 'Ada' } }));
  client.setRequestHandler('sampling/createMessage', async () => ({
    role: 'assistant',
    model: 'm',
    content: { type: 'text', text: 'It rains.' },
  }));
  client.setRequestHandler('roots/list', async () => ({ roots: [{ uri: 'file:///home/ada', name: 'home' }] }));
  const url = new URL(balanced.pods[0]?.url('everything') ?? '');
  await client.connect(new StreamableHTTPClientTransport(url, { fetch: balanced.fetch }));
});

afterEach(async () => {
  await client.close();
  await balanced.close();
  await host.dispose();
  await launches.close();
});

// Guarantee: servers that know only stdio and sessions can ask clients that know neither, whichever pod gets each request.
it.each([
  ['trigger-elicitation-request', {}, 'Ada'],
  ['trigger-sampling-request', { prompt: 'Weather?' }, 'It rains.'],
  ['get-roots-list', {}, 'file:///home/ada'],
])('the official everything server asks a modern client through stdio: %s', async (name, args, expected) => {
  const result = await client.callTool({ name, arguments: args });
  expect(JSON.stringify(result.content)).toContain(expected);
  expect(new Set(balanced.served).size).toBe(balanced.pods.length);
});
