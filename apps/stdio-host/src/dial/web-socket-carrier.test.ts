import { startWebSocketUpstream } from '@patchbay/testkit';
import { expect, test, vi } from 'vitest';
import { OutputTail } from '../process/output-tail.ts';
import { WebSocketCarrier } from './web-socket-carrier.ts';

test('what waits for the connection is bounded by its bytes, and takes nothing from what may wait later', async () => {
  const upstream = await startWebSocketUpstream();
  const events = { tail: new OutputTail({}), onMessage: vi.fn(), onGone: vi.fn() };
  const dialled = { transport: 'websocket', url: upstream.url, headers: {}, connectMs: 2_000 } as const;
  const policy = () => ({ refused: [], openings: [{ cidr: '127.0.0.0/8', port: null }] });
  const carrier = new WebSocketCarrier(dialled, { policy, connectTimeoutMs: 2_000 }, events);
  const notification = (text: string) => JSON.stringify({ jsonrpc: '2.0', method: 'notifications/x', params: { text } });
  try {
    // Two bytes each: 66 MiB.
    expect(carrier.send(notification('é'.repeat(33 * 1024 * 1024)))).toBe(true);
    expect(carrier.send(notification('one more'))).toBe(false);
    await vi.waitFor(() => expect(carrier.send(notification('later'))).toBe(true), { timeout: 10_000 });
  } finally {
    await carrier.stop();
    await upstream.close();
  }
});
