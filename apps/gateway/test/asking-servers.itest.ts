import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterEach, describe, expect, it } from 'vitest';
import { type AskingSpec, type AskingUpstream, startAskingUpstream } from './support/asking-upstream.ts';
import type { TestGateway } from './support/gateway.ts';
import { askedIn, type Calling, modernCall, modernInit, type Sent, textIn } from './support/modern-call.ts';
import { type Pods, startPods } from './support/pods.ts';
import type { ServerSpec } from './support/snapshot.ts';

let upstream: AskingUpstream;
let balanced: Pods;
let pods: readonly TestGateway[];

afterEach(async () => {
  await balanced.close();
  await upstream.close();
});

const TOOLS = [
  'withdraws_elsewhere',
  'ask_elsewhere',
  'progress_elsewhere',
  'ask',
  'ask_twice',
  'ask_three',
  'progress_and_ask',
  'falls_back',
  'log',
  'cut',
  'link',
];

async function start(isNumbered = true, spec: Partial<ServerSpec> = {}, more: Partial<AskingSpec> = {}): Promise<void> {
  upstream = await startAskingUpstream({ isNumbered, ...more });
  const server = {
    id: '6f5c1a52-0c8e-4a35-9d0f-6f5a2f3b7c12',
    slug: 'asking',
    url: upstream.url,
    era: 'legacy',
    tools: TOOLS,
    ...spec,
  } as const;
  balanced = await startPods({ servers: [server] }, 2);
  pods = balanced.pods;
}

type Answering = { readonly name?: string; readonly action?: 'accept' | 'decline'; readonly capabilities?: object };

async function connect(slug: string | null, { action = 'accept', capabilities, name = 'Ada' }: Answering = {}): Promise<Client> {
  const client = new Client(
    { name: 'test', version: '1' },
    {
      versionNegotiation: { mode: { pin: '2026-07-28' } },
      capabilities: capabilities ?? { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} },
    },
  );
  client.setRequestHandler('elicitation/create', async ({ params }) => {
    asked.push(params.message);
    return action === 'decline' || 'url' in params ? { action } : { action, content: { name } };
  });
  client.setRequestHandler('sampling/createMessage', async () => ({
    role: 'assistant',
    model: 'm',
    content: { type: 'text', text: 'Good day' },
  }));
  client.setRequestHandler('roots/list', async () => ({ roots: [{ uri: 'file:///home/ada' }] }));
  const requestInit = { headers: { authorization: 'Bearer ada' } };
  await client.connect(new StreamableHTTPClientTransport(new URL(pods[0]?.url(slug) ?? ''), { requestInit, fetch: balanced.fetch }));
  return client;
}

let asked: string[] = [];

async function call(client: Client, name: string): Promise<string> {
  asked = [];
  const result = await client.callTool({ name, arguments: {} });
  return (result.content as { text: string }[])[0]?.text ?? '';
}

describe.each([
  ['with numbered events', true],
  ['with events that have no numbers', false],
])('what a legacy server %s asks for while a modern client calls it', (_how, isNumbered) => {
  it('is asked by one pod and answered by another, and the tool runs once', async () => {
    await start(isNumbered);
    expect(await call(await connect('asking'), 'ask')).toBe('Hello Ada');
    expect(asked).toEqual(['Your name?']);
    expect(upstream.executed.get('ask')).toBe(1);
  });

  it('may be asked in several rounds', async () => {
    await start(isNumbered);
    expect(await call(await connect('asking'), 'ask_twice')).toBe('Ada Ada');
    expect(asked).toEqual(['First name?', 'Last name?']);
    expect(upstream.executed.get('ask_twice')).toBe(1);
  });

  it('may be asked outside of the call, on the general stream of its session', async () => {
    await start(isNumbered);
    const client = await connect('asking');
    expect(await call(client, 'ask_elsewhere')).toBe('Hello Ada');
    expect(await call(client, 'ask_elsewhere')).toBe('Hello Ada');
    expect(upstream.executed.get('ask_elsewhere')).toBe(2);
  });

  it('may be asked outside of two calls at once, on pods of which one reads that stream', async () => {
    await start(isNumbered);
    const [one, other] = [await connect('asking', { name: 'Ada' }), await connect('asking', { name: 'Ada' })];
    expect(await Promise.all([call(one, 'ask_elsewhere'), call(other, 'ask_elsewhere')])).toEqual(['Hello Ada', 'Hello Ada']);
    expect(upstream.executed.get('ask_elsewhere')).toBe(2);
    expect(upstream.seen.filter(({ lastEventId, method }) => method === 'GET' && lastEventId === undefined).length).toBeGreaterThan(1);
  });

  it('is not asked any more once the server has withdrawn it', async () => {
    await start(isNumbered);
    expect(await call(await connect('asking'), 'withdraws_elsewhere')).toBe('never mind');
    expect(asked).toEqual([]);
  });

  it('may come with progress outside of the call', async () => {
    await start(isNumbered);
    const seen: number[] = [];
    const client = await connect('asking');
    await client.callTool({ name: 'progress_elsewhere', arguments: {} }, { onprogress: ({ progress }) => void seen.push(progress) });
    expect(seen).toEqual([7]);
  });

  it('may be a form, a completion and the roots at once', async () => {
    await start(isNumbered);
    expect(await call(await connect('asking'), 'ask_three')).toBe('Good day Ada of file:///home/ada');
    expect(upstream.executed.get('ask_three')).toBe(1);
  });
});

type Sending = Calling & { readonly pod?: number; readonly slug?: string | null };

function send(params: object, { pod = 0, slug = 'asking', ...calling }: Sending = {}): Promise<Sent> {
  return modernCall(pods[pod]?.url(slug) ?? '', params, calling);
}

const accept = (name: string): object => ({ action: 'accept', content: { name } });

/** The first answer of a tool that asks: its state, and its one key. */
async function askedBy(name: string, slug: string | null = 'asking'): Promise<{ requestState: string; key: string; message: string }> {
  const { keys, messages, requestState } = askedIn(await send({ name }, { slug }));
  return { requestState, key: keys[0] ?? '', message: messages[0] ?? '' };
}

describe('the state of a call that waits', () => {
  it('opens on any pod, for who was asked and what was asked', async () => {
    await start();
    const { key, requestState } = await askedBy('ask');
    const answered = await send({ name: 'ask', inputResponses: { [key]: accept('Grace') }, requestState }, { pod: 1 });
    expect(answered.json.result).toMatchObject({
      resultType: 'complete',
      _meta: { 'io.modelcontextprotocol/serverInfo': { name: 'asking' } },
    });
    expect(textIn(answered)).toBe('Hello Grace');
  });

  it.each([
    ['by another user', {}, { user: 'bob' }],
    ['at another endpoint', { name: 'asking_ask' }, { slug: null }],
    ['with another tool', { name: 'ask_twice' }, {}],
    ['with other arguments', { arguments: { more: 1 } }, {}],
  ])('does not open when it is sent %s', async (_how, params, options) => {
    await start();
    const { key, requestState } = await askedBy('ask');
    const sent = await send({ name: 'ask', inputResponses: { [key]: accept('Eve') }, requestState, ...params }, options);
    expect([sent.status, sent.json.error?.code]).toEqual([400, -32602]);
    expect(upstream.seen.filter(({ lastEventId }) => lastEventId !== undefined)).toEqual([]);
  });

  it.each(['', 'x', 'AQ', 'tampered'])('does not open when it is not ours: %j', async (how) => {
    await start();
    const { requestState } = await askedBy('ask');
    const sent = await send({ name: 'ask', inputResponses: {}, requestState: how === 'tampered' ? `${requestState}-TAMPERED` : how });
    expect(sent.json.error?.code).toBe(-32602);
  });

  it('shows nothing of the session with the server', async () => {
    await start();
    const { requestState } = await askedBy('ask');
    expect(Buffer.from(requestState, 'base64url').toString('latin1')).not.toContain('session');
  });

  it.each([
    ['no answer', {}],
    ['an answer to something else', { other: accept('Eve') }],
    ['a number', { KEY: 12 }],
    ['an unknown action', { KEY: { action: 'maybe' } }],
  ])('asks again for %s, and the server hears nothing', async (_what, responses) => {
    await start();
    const { key, requestState } = await askedBy('ask');
    const inputResponses = Object.fromEntries(Object.entries(responses).map(([name, value]) => [name === 'KEY' ? key : name, value]));
    const again = await send({ name: 'ask', inputResponses, requestState }, { pod: 1 });
    expect(again.json.result).toMatchObject({ resultType: 'input_required', inputRequests: { [key]: { method: 'elicitation/create' } } });
    const state = again.json.result?.['requestState'] as string;
    expect(textIn(await send({ name: 'ask', inputResponses: { [key]: accept('Ada') }, requestState: state }))).toBe('Hello Ada');
    expect(upstream.executed.get('ask')).toBe(1);
  });

  it.each([
    ['inputResponses', { inputResponses: null }],
    ['requestState', { requestState: 7 }],
  ])('is refused with %s of the wrong type', async (_what, params) => {
    await start();
    expect((await send({ name: 'ask', ...params })).json.error?.code).toBe(-32602);
  });

  it('of a server that forgot the call is a failed tool, and the tool is not run again', async () => {
    await start();
    const { key, requestState } = await askedBy('ask');
    upstream.forgetSessions();
    const sent = await send({ name: 'ask', inputResponses: { [key]: accept('Ada') }, requestState }, { pod: 1 });
    expect(sent.json.result).toMatchObject({ isError: true, _meta: { 'com.patchbay/error': { code: 'upstream.call_lost' } } });
    expect(upstream.executed.get('ask')).toBe(1);
  });

  it('on the aggregated endpoint says which server asks (trap 25)', async () => {
    await start();
    const { key, message, requestState } = await askedBy('asking_ask', null);
    expect(message).toBe('Server "asking" asks: Your name?');
    const answered = await send({ name: 'asking_ask', inputResponses: { [key]: accept('Ada') }, requestState }, { slug: null, pod: 1 });
    expect(textIn(answered)).toBe('Hello Ada');
  });

  it('answers that nothing asked for do not reach the server', async () => {
    await start();
    const { json } = await send({ name: 'ask', inputResponses: { 0: accept('Eve') } });
    expect(json.result).toMatchObject({ resultType: 'input_required' });
    expect(upstream.seen.map(({ body }) => body).join(' ')).not.toContain('Eve');
  });
});

describe('a client', () => {
  it('that declines is told to the server as one', async () => {
    await start();
    expect(await call(await connect('asking', { action: 'decline' }), 'ask')).toBe('decline');
  });

  it('is never said to have more than it declared, and shares sessions with what declares the same (trap 13)', async () => {
    await start();
    await send({ name: 'falls_back' }, { capabilities: { sampling: {}, roots: { listChanged: true }, tasks: {} } });
    await send({ name: 'falls_back' }, { capabilities: { roots: { listChanged: true }, sampling: {} }, pod: 1 });
    await send({ name: 'falls_back' }, { capabilities: {} });
    expect(upstream.opened).toEqual([{ sampling: {}, roots: {} }, {}]);
  });

  it('without what the server needs gets −32021 with its name, and status 400', async () => {
    await start();
    const sent = await send({ name: 'ask' }, { capabilities: { sampling: {} } });
    expect([sent.status, sent.json.error]).toMatchObject([
      400,
      { code: -32021, data: { requiredCapabilities: { elicitation: { form: {} } } } },
    ]);
  });

  it('without what the server asks for outside of the call gets the same, at once', async () => {
    await start();
    const sent = await send({ name: 'ask_elsewhere' }, { capabilities: { sampling: {} } });
    expect(sent.json.error).toMatchObject({ code: -32021, data: { requiredCapabilities: { elicitation: { form: {} } } } });
  });

  it('without what the server can do without gets its answer', async () => {
    await start();
    expect(textIn(await send({ name: 'falls_back' }, { capabilities: { sampling: {} } }))).toBe('without a name');
  });

  it('is asked to open links, and the call is made anew', async () => {
    await start();
    expect(await call(await connect('asking'), 'link')).toBe('linked');
    expect(asked).toEqual(['Connect first']);
  });

  it('that opens no links is told so', async () => {
    await start();
    const result = await (await connect('asking', { action: 'decline' })).callTool({ name: 'link', arguments: {} });
    expect(result).toMatchObject({ isError: true, _meta: { 'com.patchbay/error': { code: 'upstream.unanswered' } } });
    expect(upstream.executed.get('link')).toBe(1);
  });

  it('that cannot open links gets −32021', async () => {
    await start();
    expect((await send({ name: 'link' })).json.error).toMatchObject({
      code: -32021,
      data: { requiredCapabilities: { elicitation: { url: {} } } },
    });
  });

  it('that wants log messages gets them at its level; another gets none', async () => {
    await start();
    const logs: unknown[] = [];
    const client = await connect('asking');
    client.setNotificationHandler('notifications/message', ({ params }) => void logs.push(params.data));
    await call(client, 'log');
    expect([logs, upstream.levels]).toEqual([[], []]);
    await client.callTool({ name: 'log', arguments: {}, _meta: { 'io.modelcontextprotocol/logLevel': 'info' } });
    expect([logs, upstream.levels]).toEqual([['logged'], ['info']]);
  });

  it('gets progress from before and after it was asked, under its own token', async () => {
    await start();
    const seen: number[] = [];
    const client = await connect('asking');
    const result = await client.callTool(
      { name: 'progress_and_ask', arguments: {} },
      { onprogress: ({ progress }) => void seen.push(progress) },
    );
    // Client 2.4 reports progress of its own between the rounds.
    expect([[...new Set(seen)], result.content]).toEqual([[1, 2], [{ type: 'text', text: 'Ada' }]]);
  });

  it('gets the answer of a server that let go of its stream meanwhile', async () => {
    await start();
    expect(await call(await connect('asking'), 'cut')).toBe('after the cut');
    expect(upstream.executed.get('cut')).toBe(1);
  });
});

describe('a server that does not say whether it has a general stream', () => {
  it('is waited for once, and asks on the streams of its calls', async () => {
    await start(true, {}, { isSilent: true });
    expect(textIn(await send({ name: 'falls_back' }, { capabilities: { roots: {} } }))).toBe('without a name');
    const startedAtMs = performance.now();
    const { key, requestState } = await askedBy('ask');
    expect(textIn(await send({ name: 'ask', inputResponses: { [key]: accept('Ada') }, requestState }))).toBe('Hello Ada');
    expect(performance.now() - startedAtMs).toBeLessThan(1_500);
  });
});

describe('a call on a stream that only its pod can hold', () => {
  it('goes on at the same pod as well', async () => {
    await start(false);
    const { key, requestState } = await askedBy('ask');
    expect(textIn(await send({ name: 'ask', inputResponses: { [key]: accept('Ada') }, requestState }))).toBe('Hello Ada');
  });

  it('is lost with that pod, says so, and is not run again', async () => {
    await start(false);
    const { key, requestState } = await askedBy('ask');
    await pods[0]?.close();
    const sent = await send({ name: 'ask', inputResponses: { [key]: accept('Ada') }, requestState }, { pod: 1 });
    expect(sent.json.result).toMatchObject({ isError: true, _meta: { 'com.patchbay/error': { code: 'upstream.call_lost' } } });
    expect(upstream.executed.get('ask')).toBe(1);
  }, 15_000);

  it('goes on once: what is sent again meanwhile or afterwards finds nothing', async () => {
    await start(false);
    const { key, requestState } = await askedBy('ask');
    const answer = { name: 'ask', inputResponses: { [key]: accept('Ada') }, requestState };
    const sent = await Promise.all([send(answer), send(answer, { pod: 1 })]);
    sent.push(await send(answer, { pod: 1 }));
    const codes = sent.map((each) => textIn(each) ?? '').toSorted();
    expect(codes[0]).toBe('Hello Ada');
    expect(codes.slice(1)).toEqual([expect.stringContaining('cannot be continued'), expect.stringContaining('cannot be continued')]);
    expect(upstream.executed.get('ask')).toBe(1);
  });
});

describe('what a modern client is told of a legacy server', () => {
  const list = async (method: string): Promise<Record<string, unknown>> => {
    const response = await fetch(pods[0]?.url('asking') ?? '', modernInit(method));
    return ((await response.json()) as { result: Record<string, unknown> }).result;
  };

  it('leaves out the tools that only a session can call, as tasks', async () => {
    const definitions = {
      slow: '{"name":"slow","inputSchema":{"type":"object"},"execution":{"taskSupport":"required"}}',
      either: '{"name":"either","inputSchema":{"type":"object"},"execution":{"taskSupport":"optional"}}',
    };
    await start(true, { tools: ['slow', 'either'], definitions });
    const { tools } = await list('tools/list');
    expect((tools as { name: string }[]).map(({ name }) => name)).toEqual(['either']);
  });

  it.each([
    [{ logging: {}, tools: {} }, true],
    [{ tools: {} }, false],
  ])('says with %j that it logs: %s', async (capabilities, logs) => {
    await start(true, { capabilities });
    const discovered = await list('server/discover');
    expect('logging' in (discovered['capabilities'] as object)).toBe(logs);
  });
});
