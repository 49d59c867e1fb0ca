import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import {
  type ClientCapabilities,
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { MODERN_ASKING_TOOLS, type ModernAskingUpstream, startModernAskingUpstream } from '@patchbay/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type HeldCall, openHeldCall } from './support/held-call.ts';
import { initialize } from './support/legacy-server.ts';
import { type Pods, startPods } from './support/pods.ts';

let upstream: ModernAskingUpstream;
let gateways: Pods;
const clients: Client[] = [];

beforeEach(async () => {
  upstream = await startModernAskingUpstream();
  gateways = await startPods({
    servers: [{ id: '6f5c1a52-0c8e-4a35-9d0f-6f5a2f3b7c11', slug: 'new', url: upstream.url, era: 'modern', tools: MODERN_ASKING_TOOLS }],
  });
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await gateways.close();
  await upstream.close();
});

type Asked = { readonly method: string; readonly params: Record<string, unknown> };

/** A client of revision 2025-11-25 on the official SDK, each of whose requests another pod gets. */
async function connect(capabilities: ClientCapabilities, slug: string | null = 'new'): Promise<{ client: Client; asked: Asked[] }> {
  const client = new Client({ name: 'asked', version: '7' }, { capabilities });
  const asked: Asked[] = [];
  const note = (request: { method: string; params?: object | undefined }): void =>
    void asked.push({ method: request.method, params: { ...request.params } });
  if (capabilities.elicitation !== undefined)
    client.setRequestHandler(ElicitRequestSchema, (request) => {
      note(request);
      if (request.params.mode === 'url') return { action: 'accept' };
      return { action: 'accept', content: { value: `answer ${asked.length}` } };
    });
  if (capabilities.sampling !== undefined)
    client.setRequestHandler(CreateMessageRequestSchema, (request) => {
      note(request);
      return { role: 'assistant', model: 'm', content: { type: 'text', text: 'sampled' } };
    });
  if (capabilities.roots !== undefined)
    client.setRequestHandler(ListRootsRequestSchema, (request) => {
      note(request);
      return { roots: [{ uri: 'file:///here' }] };
    });
  const url = new URL(gateways.pods[0]?.url(slug) ?? '');
  await client.connect(
    new StreamableHTTPClientTransport(url, {
      fetch: gateways.fetch,
      requestInit: { headers: { authorization: 'Bearer ada' } },
    }),
  );
  clients.push(client);
  return { client, asked };
}

async function textOf(client: Client, name: string): Promise<string> {
  const { content } = await client.callTool({ name });
  return (content as { text: string }[])[0]?.text ?? '';
}

describe('a client with a session, called back by a modern server', () => {
  it('answers a form on another pod than the one that holds its call', async () => {
    const { asked, client } = await connect({ elicitation: {} });
    const before = gateways.served.length;
    expect(JSON.parse(await textOf(client, 'ask_name'))).toEqual({ action: 'accept', content: { value: 'answer 1' } });
    const [call, answer] = gateways.served.slice(before);
    expect(call).not.toBe(answer);
    expect(asked).toEqual([{ method: 'elicitation/create', params: expect.objectContaining({ message: 'Who?' }) as object }]);
    expect(upstream.called).toEqual(['ask_name', 'ask_name']);
  });

  it('is told of progress that rises, though its server begins anew with each answer (trap 9)', async () => {
    const { client } = await connect({ elicitation: {} });
    const told: number[] = [];
    await client.callTool({ name: 'progress_and_ask' }, undefined, { onprogress: ({ progress }) => void told.push(progress) });
    expect(told).toEqual([1, 2, 3]);
  });

  it('is asked everything at once, and its server gets every answer in one request', async () => {
    const { asked, client } = await connect({ elicitation: {}, sampling: {}, roots: { listChanged: true } });
    expect(JSON.parse(await textOf(client, 'ask_all'))).toEqual({
      name: { value: expect.stringMatching(/^answer \d$/) as string },
      said: { type: 'text', text: 'sampled' },
      roots: { roots: [{ uri: 'file:///here' }] },
    });
    expect(asked.map(({ method }) => method).sort()).toEqual(['elicitation/create', 'roots/list', 'sampling/createMessage']);
    expect(upstream.called).toHaveLength(2);
  });

  it('is asked again and again under one key, the state of its server coming back exactly', async () => {
    const { client } = await connect({ elicitation: {} });
    expect(await textOf(client, 'ask_twice')).toBe('second after answer 1, answer 2');
  });

  it('notices nothing of a server that wants to be asked again later', async () => {
    const { asked, client } = await connect({});
    expect(await textOf(client, 'ask_later')).toBe('now');
    expect(asked).toEqual([]);
  });

  it('is sent to the very page that its server names, with the id that its revision has', async () => {
    const { asked, client } = await connect({ elicitation: { form: {}, url: {} } });
    expect(await textOf(client, 'ask_page')).toBe('accept');
    expect(asked[0]?.params).toMatchObject({
      mode: 'url',
      url: 'https://example.com/connect?a=1',
      elicitationId: expect.any(String) as string,
    });
  });

  it('of an older revision is asked in its own words, and not what it has none for', async () => {
    const { question } = await openHeldCall(gateways.pods[0]?.url('new') ?? '', { tool: 'ask_choice' });
    expect(question.params).toMatchObject({
      requestedSchema: { properties: { value: { enum: ['a', 'b'], enumNames: ['The A', 'The B'] } } },
    });
    const refused = await openHeldCall(gateways.pods[0]?.url('new') ?? '', { tool: 'ask_choices' }).catch((error: unknown) => error);
    expect(String(refused)).toContain('2025-06-18');
  });

  it('is never sent to a page of ours by a server (trap 25)', async () => {
    const { asked, client } = await connect({ elicitation: { form: {}, url: {} } });
    const result = await client.callTool({ name: 'ask_our_page' });
    expect(result).toMatchObject({ isError: true, _meta: { 'com.patchbay/error': { code: 'upstream.broken' } } });
    expect(asked).toEqual([]);
  });

  it('says with every call who it is and what it can, no more and no less (trap 13)', async () => {
    const { client } = await connect({ elicitation: { form: {} }, roots: { listChanged: true }, experimental: { a: {} } });
    await textOf(client, 'not_asking');
    await textOf((await connect({})).client, 'not_asking');
    expect(upstream.clients).toEqual([
      { capabilities: { elicitation: { form: {} }, roots: {}, experimental: { a: {} } }, info: { name: 'asked', version: '7' } },
      { capabilities: {}, info: { name: 'asked', version: '7' } },
    ]);
  });

  it('is never asked what it cannot answer: the model is told what is missing', async () => {
    const { client } = await connect({ roots: {} });
    const result = await client.callTool({ name: 'ask_name' });
    expect(result).toMatchObject({ isError: true, _meta: { 'com.patchbay/error': { code: 'upstream.capability_missing' } } });
    expect(JSON.stringify(result.content)).toContain('elicitation');
  });

  it('is not asked for ever', async () => {
    const { asked, client } = await connect({ elicitation: {} });
    expect(await client.callTool({ name: 'ask_forever' })).toMatchObject({
      isError: true,
      _meta: { 'com.patchbay/error': { code: 'upstream.unanswered' } },
    });
    expect(asked).toHaveLength(10);
  });

  it('may refuse to answer, which the model is told in its words', async () => {
    const { client } = await connect({ elicitation: {} });
    client.setRequestHandler(ElicitRequestSchema, () => {
      throw new Error('the user is asleep');
    });
    const result = await client.callTool({ name: 'ask_name' });
    expect(result).toMatchObject({ isError: true, _meta: { 'com.patchbay/error': { code: 'upstream.unanswered' } } });
    expect(JSON.stringify(result.content)).toContain('the user is asleep');
  });

  it('is told at the aggregated endpoint which server asks (trap 25)', async () => {
    const { asked, client } = await connect({ elicitation: {} }, null);
    expect(JSON.parse(await textOf(client, 'new_ask_name'))).toMatchObject({ action: 'accept' });
    expect(asked[0]?.params['message']).toBe('Server "new" asks: Who?');
  });
});

const HEADERS = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };

/** The wire, where the official client would not do what is tried. */
async function post(
  body: object,
  { session, user = 'ada', slug = 'new' }: { session?: string; user?: string; slug?: string | null } = {},
): Promise<Response> {
  const headers = { ...HEADERS, authorization: `Bearer ${user}`, ...(session === undefined ? {} : { 'mcp-session-id': session }) };
  return gateways.fetch(gateways.pods[0]?.url(slug) ?? '', { method: 'POST', headers, body: JSON.stringify(body) });
}

function sessionOf(user: string, slug: string | null = 'new'): Promise<string> {
  const options = { protocolVersion: '2025-06-18', capabilities: { elicitation: {} }, user, fetch: gateways.fetch };
  return initialize(gateways.pods[0]?.url(slug) ?? '', options);
}

function heldCall(): Promise<HeldCall> {
  return openHeldCall(gateways.pods[0]?.url('new') ?? '', { fetch: gateways.fetch });
}

describe('an answer', () => {
  const answer = (id: string, value = 'mine'): object => ({ jsonrpc: '2.0', id, result: { action: 'accept', content: { value } } });

  it('is taken from its own session alone, once; any other is refused and changes nothing', async () => {
    const [ofAnother, elsewhere, ofBob] = [await sessionOf('ada'), await sessionOf('ada', null), await sessionOf('bob')];
    const { question, rest, session } = await heldCall();
    const forged = `${question.id.slice(0, -2)}AA`;
    for (const [id, options] of [
      [question.id, { session: ofAnother }],
      [question.id, { session: ofBob, user: 'bob' }],
      [question.id, { session: elsewhere, slug: null }],
      [forged, { session }],
    ] as const) {
      const refused = await post(answer(id, 'stolen'), options);
      expect([refused.status, ((await refused.json()) as { error: { data: object } }).error.data]).toEqual([
        400,
        { code: 'answer.unexpected' },
      ]);
    }
    expect((await post(answer(question.id), { session })).status).toBe(202);
    expect(await rest()).toContain('mine');
    const late = await post(answer(question.id), { session });
    expect(late.status).toBe(400);
  });

  it('that comes too late because its pod stopped leaves no client waiting: the official one comes back and is told what became of its call', async () => {
    const { client } = await connect({ elicitation: {} });
    const { promise: asked, resolve: tellAsked } = Promise.withResolvers<void>();
    client.setRequestHandler(ElicitRequestSchema, async () => {
      tellAsked();
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      return { action: 'decline' };
    });
    const result = client.callTool({ name: 'ask_name' }).catch((error: unknown) => error);
    await asked;
    const holder = gateways.served.at(-1) ?? 0;
    gateways.remove(holder);
    await gateways.pods[holder]?.close();
    expect(String(await result)).toContain('has stopped');
  });

  it('that did not come before its pod stops ends the call in the client’s own stream, where the model reads why', async () => {
    const { rest } = await heldCall();
    gateways.pods[gateways.served.at(-1) ?? 0]?.waiting.endAll();
    const last = JSON.parse((await rest()).split('data: ').at(-1) ?? '') as object;
    expect(last).toMatchObject({ id: 1, result: { isError: true, _meta: { 'com.patchbay/error': { code: 'upstream.call_lost' } } } });
  });

  it('to a call whose pod died is refused in words that say so', async () => {
    const { question, session } = await heldCall();
    // What is left of a pod that was killed, once its lease has run out.
    for (const key of gateways.store.values.keys()) if (key.includes('mailbox-owner/')) gateways.store.values.delete(key);
    const holder = gateways.served.at(-1);
    while (gateways.served.length % gateways.pods.length === holder) gateways.served.push(-1);
    const refused = await post(answer(question.id), { session });
    expect(refused.status).toBe(400);
    expect(((await refused.json()) as { error: { message: string } }).error.message).toContain('has stopped');
  });
});

describe('a call that its client takes back', () => {
  const cancelled = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } };

  it('ends on the pod that holds it, whichever pod was told, and its question is answered by nobody', async () => {
    const { question, rest, session } = await heldCall();
    expect((await post(cancelled, { session: await sessionOf('ada') })).status).toBe(202);
    expect((await post(cancelled, { session })).status).toBe(202);
    expect(await rest()).toBe('');
    expect((await post({ jsonrpc: '2.0', id: question.id, result: { action: 'cancel' } }, { session })).status).toBe(400);
    expect(upstream.called).toEqual(['ask_name']);
  });
});
