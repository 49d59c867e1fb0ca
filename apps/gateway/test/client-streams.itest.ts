import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { memoryStore, startGateway, type TestGateway } from './support/gateway.ts';
import { initialize } from './support/legacy-server.ts';
import { type OnStream, type RawUpstream, startRawUpstream } from './support/raw-upstream.ts';

const SERVER = { id: '6f5c1a52-0c8e-4a35-9d0f-6f5a2f3b7c11', slug: 'raw', era: 'legacy', tools: ['t'] } as const;
const HEADERS = { authorization: 'Bearer ada', accept: 'text/event-stream', 'mcp-protocol-version': '2025-11-25' };

let upstream: RawUpstream;
/** One session store and keys, nothing else in common. */
let pods: [TestGateway, TestGateway];
let onStream: OnStream;
let streamHeaders: IncomingHttpHeaders[];
let abort: AbortController;
/** What the store waits for before it says anything. */
let storeSpeaks: Promise<unknown>;

beforeEach(async () => {
  abort = new AbortController();
  streamHeaders = [];
  storeSpeaks = Promise.resolve();
  upstream = await startRawUpstream(
    () => undefined,
    (headers, response) => {
      streamHeaders.push(headers);
      onStream(headers, response);
    },
  );
  const memory = memoryStore();
  const store = { ...memory, get: (...args: Parameters<typeof memory.get>) => storeSpeaks.then(() => memory.get(...args)) };
  const servers = [{ ...SERVER, url: upstream.url }];
  pods = [await startGateway({ servers, store }), await startGateway({ servers, store })];
});

afterEach(async () => {
  abort.abort();
  await Promise.all(pods.map((pod) => pod.close()));
  await upstream.close();
});

const onPod = (index: 0 | 1): TestGateway => pods[index];

const open = (): Promise<string> => initialize(onPod(0).url('raw'));

function get(pod: TestGateway, session: string, more: Record<string, string> = {}, slug: string | null = 'raw'): Promise<Response> {
  return fetch(pod.url(slug), { headers: { ...HEADERS, 'mcp-session-id': session, ...more }, signal: abort.signal });
}

async function read(response: Response, until: string): Promise<string> {
  let text = '';
  for await (const chunk of response.body ?? []) {
    text += Buffer.from(chunk).toString();
    if (text.includes(until)) break;
  }
  return text;
}

function beginEvents(response: ServerResponse, ...events: string[]): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'set-cookie': 'a=b' });
  response.write(events.join(''));
}

describe('the stream of a legacy server', () => {
  it('reaches its client from any pod, each message byte for byte with its position and retry', async () => {
    const odd = '{"jsonrpc":"2.0", "method":"notifications/message","params":{"level":"info","data":12345678901234567890,"x":1.0}}';
    onStream = (_headers, response) =>
      beginEvents(
        response,
        'id: p1\nretry: 250\ndata: \n\n',
        `id: 7\ndata: ${odd}\n\n`,
        `data: {"jsonrpc":"2.0","method":"notifications/end"}\n\n`,
      );
    const session = await open();
    const response = await get(onPod(1), session);
    expect([response.status, response.headers.get('content-type'), response.headers.get('set-cookie')]).toEqual([
      200,
      'text/event-stream',
      null,
    ]);
    expect(response.headers.get('x-accel-buffering')).toBe('no');
    expect(await read(response, 'notifications/end')).toBe(
      `id: p1\nretry: 250\ndata: \n\nevent: message\nid: 7\ndata: ${odd}\n\nevent: message\ndata: {"jsonrpc":"2.0","method":"notifications/end"}\n\n`,
    );
    expect(streamHeaders[0]).toMatchObject({
      'mcp-session-id': 'raw-session',
      'mcp-protocol-version': '2025-11-25',
      accept: 'text/event-stream',
    });
    expect(streamHeaders[0]?.authorization).toBeUndefined();
  });

  it('is resumed where the client says that it lost it', async () => {
    onStream = (headers, response) =>
      beginEvents(response, `id: 9\ndata: {"jsonrpc":"2.0","method":"notifications/after-${String(headers['last-event-id'])}"}\n\n`);
    const response = await get(onPod(1), await open(), { 'last-event-id': 'stream/8' });
    expect(await read(response, 'after-')).toContain('notifications/after-stream/8');
  });

  it('does not tell that a list has changed, for the catalogue has not yet; its position is told', async () => {
    onStream = (_headers, response) =>
      beginEvents(
        response,
        'id: 1\ndata: {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n\n',
        'id: 2\ndata: {"jsonrpc":"2.0","method":"notifications/end"}\n\n',
      );
    const text = await read(await get(onPod(0), await open()), 'notifications/end');
    expect(text).not.toContain('list_changed');
    expect(text).toContain('id: 1\ndata: \n\n');
  });

  it('ends when the server ends it, and is closed at the server when the client leaves', async () => {
    onStream = (_headers, response) => void response.writeHead(200, { 'content-type': 'text/event-stream' }).end('id: 1\ndata: \n\n');
    const session = await open();
    expect(await (await get(onPod(0), session)).text()).toBe('id: 1\ndata: \n\n');
    let closed = false;
    onStream = (_headers, response) => {
      beginEvents(response, 'id: 2\ndata: \n\n');
      response.on('close', () => (closed = true));
    };
    await read(await get(onPod(0), session), 'id: 2');
    await expect.poll(() => closed).toBe(true);
    await expect.poll(() => onPod(0).streams.count()).toBe(0);
  });

  it('makes a server wait that is faster than the client reads', async () => {
    let written = 0;
    onStream = (_headers, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const event = `data: {"jsonrpc":"2.0","method":"notifications/large","params":{"x":"${'x'.repeat(512 * 1024)}"}}\n\n`;
      const more = (): void => {
        while (written < 64) {
          written += 1;
          if (!response.write(event)) return void response.once('drain', more);
        }
      };
      more();
    };
    const response = await get(onPod(0), await open());
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(written).toBeLessThan(40);
    let bytes = 0;
    for await (const chunk of response.body ?? []) {
      bytes += chunk.length;
      if (bytes > 64 * 512 * 1024) break;
    }
    expect(written).toBe(64);
  });

  it('ends with the pod, which then takes no other', async () => {
    onStream = (_headers, response) => beginEvents(response, 'id: 1\ndata: \n\n');
    const session = await open();
    const ending = get(onPod(0), session).then((response) => response.text());
    await expect.poll(() => onPod(0).streams.count()).toBe(1);
    onPod(0).streams.close();
    expect(await ending).toContain('id: 1');
    expect((await get(onPod(0), session)).status).toBe(503);
    expect((await get(onPod(1), session)).status).toBe(200);
  });

  it.each(['raw', null])('is left with nobody when its client goes before it stands (%s)', async (slug) => {
    const open = new Set<ServerResponse>();
    onStream = (_headers, response) => {
      open.add(response);
      response.once('close', () => open.delete(response));
      beginEvents(response, 'id: 1\ndata: \n\n');
    };
    const session = await initialize(onPod(0).url(slug));
    const { promise, resolve } = Promise.withResolvers<unknown>();
    storeSpeaks = promise;
    const leaving = get(onPod(1), session, {}, slug).catch(() => null);
    await new Promise((done) => setTimeout(done, 100));
    abort.abort();
    await leaving;
    await new Promise((done) => setTimeout(done, 100));
    resolve(null);
    await expect.poll(() => onPod(1).outcomes.length).toBe(1);
    await expect.poll(() => [onPod(1).streams.count(), open.size]).toEqual([0, 0]);
  });

  it.each([
    ['a position that the server does not know', 400, { 'last-event-id': 'x' }, 400],
    ['a stream that is open already', 409, {}, 409],
    ['a server that cannot be asked', 500, {}, 502],
    ['a server that wants to know who asks', 401, {}, 502],
  ])('is refused for %s', async (_why, status, more, expected) => {
    onStream = (_headers, response) => void response.writeHead(status, { 'content-type': 'application/json' }).end('{}');
    expect((await get(onPod(0), await open(), more)).status).toBe(expected);
    expect(onPod(0).streams.count()).toBe(0);
  });

  it('stands and is silent where the server offers none', async () => {
    onStream = (_headers, response) => void response.writeHead(405).end();
    const session = await open();
    expect((await get(onPod(0), session)).status).toBe(200);
    expect((await get(onPod(0), session, { 'last-event-id': 'x' })).status).toBe(400);
  });

  it('is opened on a new session when the server has lost the old one', async () => {
    onStream = (_headers, response) => {
      if (streamHeaders.length === 1) response.writeHead(404, { 'content-type': 'application/json' }).end('{}');
      else beginEvents(response, 'id: 2\ndata: \n\n');
    };
    expect(await read(await get(onPod(0), await open(), { 'last-event-id': '1' }), 'id: 2')).toContain('id: 2');
    expect(streamHeaders[1]?.['last-event-id']).toBeUndefined();
    expect(upstream.seen.filter(({ message }) => message.method === 'initialize')).toHaveLength(2);
  });
});

describe('a GET', () => {
  it('without a session is offered no stream, with one that is gone none either', async () => {
    expect((await fetch(onPod(0).url('raw'), { headers: HEADERS })).status).toBe(405);
    expect((await get(onPod(0), 'forged')).status).toBe(404);
  });

  it('of somebody else does not open the session (trap 22)', async () => {
    expect((await get(onPod(0), await open(), { authorization: 'Bearer bob' })).status).toBe(404);
    expect(streamHeaders).toEqual([]);
  });

  it('that takes no events is refused', async () => {
    expect((await get(onPod(0), await open(), { accept: 'application/json' })).status).toBe(406);
  });
});
