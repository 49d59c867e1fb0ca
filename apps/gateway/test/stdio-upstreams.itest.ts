import type { ServerResponse } from 'node:http';
import { catalog, type ErrorCode, sayOf } from '@patchbay/errors';
import { listen, type Listening } from '@patchbay/testkit';
import { afterEach, expect, it } from 'vitest';
import { startGateway, type TestGateway } from './support/gateway.ts';

const SERVER_ID = '6f5c1a52-0c8e-4a35-9d0f-6f5a2f3b7c12';

let host: Listening;
let gateway: TestGateway;
afterEach(async () => {
  await gateway.close();
  await host.close();
});

type Message = { id?: string; method: string };
type Seen = { readonly url: string | undefined; readonly authorization: string | undefined; readonly generation: unknown };

/** A stdio host as its contract has it, with one thing to say to a call. */
async function start(answer: (message: Message, response: ServerResponse) => void): Promise<Seen[]> {
  const seen: Seen[] = [];
  host = await listen((request, response) => {
    seen.push({ url: request.url, authorization: request.headers.authorization, generation: request.headers['patchbay-generation'] });
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const message = JSON.parse(Buffer.concat(chunks).toString()) as Message;
      if (message.id === undefined) response.writeHead(202).end();
      else answer(message, response);
    });
  });
  const server = { id: SERVER_ID, slug: 'local', url: null, era: 'legacy', tools: ['t'], generation: 'g7' } as const;
  gateway = await startGateway({ servers: [server], stdioHostUrls: [new URL(host.url).origin] });
  return seen;
}

function json(response: ServerResponse, message: Message, content: object): void {
  response.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': 's' });
  response.end(JSON.stringify({ jsonrpc: '2.0', id: message.id, ...content }));
}

const INITIALIZED = { result: { protocolVersion: '2025-11-25', capabilities: {}, serverInfo: { name: 'x', version: '1' } } };

/** An error as the host writes it. */
function hostError(code: ErrorCode, detail: string): object {
  return { error: { code: catalog[code].rpc, message: sayOf({ code, detail, data: null }), data: { code } } };
}

async function call(): Promise<{ content: { text: string }[]; _meta?: Record<string, { code: string }> }> {
  const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
  const body = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"}}';
  const response = await fetch(gateway.url('local'), { method: 'POST', headers, body });
  return ((await response.json()) as { result: never }).result;
}

it('is reached through the stdio host at its own path, with the secret and the generation', async () => {
  const seen = await start((message, response) =>
    json(response, message, message.method === 'initialize' ? INITIALIZED : { result: { content: [] } }),
  );
  expect(await call()).toEqual({ content: [] });
  expect(seen).toHaveLength(3);
  for (const { authorization, generation, url } of seen) {
    expect([authorization, generation, url]).toEqual([
      'Bearer host-secret',
      'g7',
      `/orgs/${gateway.organisationId}/servers/${SERVER_ID}/mcp`,
    ]);
  }
});

it('that may not start says why in the words of the host, once', async () => {
  await start((message, response) => json(response, message, hostError('stdio.limit', '32 processes run.')));
  const { _meta, content } = await call();
  expect(_meta?.['com.patchbay/error']?.code).toBe('stdio.limit');
  expect(content[0]?.text).toBe(`${catalog['stdio.limit'].say} 32 processes run.`);
});

it('that dies during a call is an error of the call', async () => {
  await start((message, response) =>
    json(response, message, message.method === 'initialize' ? INITIALIZED : hostError('upstream.unreachable', '"local" ended.')),
  );
  expect((await call())._meta?.['com.patchbay/error']?.code).toBe('upstream.unreachable');
});
