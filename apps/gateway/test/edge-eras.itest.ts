import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { initialize } from './support/legacy-server.ts';
import { modernInit } from './support/modern-call.ts';
import { type Pods, startPods } from './support/pods.ts';
import { type RawUpstream, startRawUpstream } from './support/raw-upstream.ts';

let upstream: RawUpstream;
let gateways: Pods;
/** What a session's server says of the session that a request names. */
let isGone = false;

beforeEach(async () => {
  isGone = false;
  upstream = await startRawUpstream(({ headers, message }, response) => {
    if (isGone && headers['mcp-session-id'] !== undefined) return void response.writeHead(404).end();
    const result = { content: [{ type: 'text', text: headers['mcp-session-id'] ?? 'no session' }] };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ jsonrpc: '2.0', id: message.id, result }));
  });
  const server = { id: '6f5c1a52-0c8e-4a35-9d0f-6f5a2f3b7c11', slug: 'both', url: upstream.url, era: 'modern', tools: ['t'] } as const;
  gateways = await startPods({ servers: [server] });
});

afterEach(async () => {
  await gateways.close();
  await upstream.close();
});

const HEADERS = { authorization: 'Bearer ada', 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
const CALL = '{ "jsonrpc":"2.0", "id":7, "method":"tools/call", "params":{"name":"t","big":12345678901234567890} }';

function post(slug: string | null, body: string, headers: Record<string, string> = {}): Promise<Response> {
  return gateways.fetch(gateways.pods[0]?.url(slug) ?? '', { method: 'POST', headers: { ...HEADERS, ...headers }, body });
}

async function open(slug: string | null): Promise<{ readonly 'mcp-session-id': string }> {
  const url = gateways.pods[0]?.url(slug) ?? '';
  return { 'mcp-session-id': await initialize(url, { capabilities: { roots: {} }, fetch: gateways.fetch }) };
}

const called = (): RawUpstream['seen'] => upstream.seen.filter(({ message }) => message.method === 'tools/call');

describe('a server of revision 2026-07-28 that keeps sessions too', () => {
  it('has one with each client that initialises, from whichever pod it calls: bytes pass as they are', async () => {
    const session = await open('both');
    for (const _pod of gateways.pods) {
      const response = await post('both', CALL, session);
      expect(await response.json()).toMatchObject({ id: 7, result: { content: [{ text: 'raw-session' }] } });
    }
    expect(called().map(({ text }) => text)).toEqual([CALL, CALL, CALL]);
    expect(upstream.seen[0]?.message).toMatchObject({ method: 'initialize', params: { capabilities: { roots: {} } } });
  });

  it('is spoken to in its newest revision for a client of that revision, and for all at the aggregated endpoint', async () => {
    await gateways.fetch(gateways.pods[0]?.url('both') ?? '', modernInit('tools/call', { name: 't' }));
    await post(null, CALL.replace('"t"', '"both_t"'), await open(null));
    await post('both', CALL);
    expect(called().map(({ headers }) => [headers['mcp-session-id'], headers['mcp-method']])).toEqual(
      Array.from({ length: 3 }, () => [undefined, 'tools/call']),
    );
  });

  it('that does so no longer is bridged for whoever had one', async () => {
    const session = await open('both');
    upstream.keepsSessions = false;
    isGone = true;
    const response = await post('both', CALL, session);
    expect(await response.json()).toMatchObject({ id: 7, result: { content: [{ text: 'no session' }] } });
  });
});

describe('a server of that revision alone', () => {
  it('is asked for a session once, and then left alone', async () => {
    upstream.keepsSessions = false;
    const sessions = await Promise.all(gateways.pods.map(() => open('both')));
    for (const session of sessions) expect(await (await post('both', CALL, session)).json()).toMatchObject({ id: 7, result: {} });
    for (const _pod of gateways.pods) await open('both');
    expect(upstream.seen.filter(({ message }) => message.method === 'initialize')).toHaveLength(gateways.pods.length);
    expect(called().every(({ headers }) => headers['mcp-session-id'] === undefined)).toBe(true);
  });

  it('that does not answer costs its client a moment and no more', async () => {
    upstream.keepsSessions = 'silent';
    const startedAtMs = performance.now();
    expect((await open('both'))['mcp-session-id']).not.toBe('');
    const tookMs = performance.now() - startedAtMs;
    expect(tookMs).toBeGreaterThan(1_500);
    expect(tookMs).toBeLessThan(5_000);
  });
});
