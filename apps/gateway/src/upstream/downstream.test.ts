import { once } from 'node:events';
import { createServer, get, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Downstream } from './downstream.ts';

let server: Server;
let response: ServerResponse;
let received: IncomingMessage | null;
let text: string;
const listener = { drained: vi.fn(), left: vi.fn() };

beforeEach(async () => {
  server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  received = null;
  text = '';
  const sent = get(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, { agent: false }, (incoming) => {
    received = incoming;
    incoming.on('data', (chunk: Buffer) => (text += chunk.toString()));
    incoming.on('error', () => undefined);
  });
  sent.on('error', () => undefined);
  [, response] = (await once(server, 'request')) as [IncomingMessage, ServerResponse];
  listener.drained.mockClear();
  listener.left.mockClear();
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});

afterEach(async () => {
  vi.useRealTimers();
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

/** Lets the sockets work; timers stand still. */
async function turn(): Promise<void> {
  for (let i = 0; i < 20; i += 1) await new Promise((resolve) => setImmediate(resolve));
}

describe('the client side of a call', () => {
  it('fills the silence of a stream with comments every 15 seconds, counted from the last event (trap 11)', async () => {
    const downstream = new Downstream(response, listener);
    downstream.keepAlive();
    vi.advanceTimersByTime(14_000);
    downstream.sendEvent(Buffer.from('{"a":1}'));
    vi.advanceTimersByTime(14_999);
    await turn();
    expect(text).toBe('event: message\ndata: {"a":1}\n\n');
    vi.advanceTimersByTime(15_001);
    await turn();
    expect(text.split(': keep-alive\n\n')).toHaveLength(3);
    downstream.end();
  });

  it('stops when the client has left', async () => {
    const downstream = new Downstream(response, listener);
    downstream.keepAlive();
    response.socket?.destroy();
    await turn();
    expect(listener.left).toHaveBeenCalledOnce();
    expect(vi.getTimerCount()).toBe(0);
    downstream.keepAlive();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is one JSON document when nothing came before the answer', async () => {
    new Downstream(response, listener).sendAnswer(200, Buffer.from('{}'));
    await turn();
    expect(received?.headers).toMatchObject({ 'content-type': 'application/json', 'content-length': '2', 'cache-control': 'no-store' });
    expect(text).toBe('{}');
    expect(listener.left).not.toHaveBeenCalled();
  });

  it('is the last event when some came before', async () => {
    const downstream = new Downstream(response, listener);
    downstream.sendEvent(Buffer.from('1'));
    downstream.sendAnswer(200, Buffer.from('2'));
    await turn();
    expect(received?.headers).toMatchObject({ 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' });
    expect(text).toBe('event: message\ndata: 1\n\nevent: message\ndata: 2\n\n');
    expect(received?.complete).toBe(true);
  });
});
