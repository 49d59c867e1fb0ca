import type { Dispatcher } from 'undici';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { UpstreamSession } from '../upstream/session-registry.ts';
import { ServerStream, type StreamPlace } from './server-stream.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('a server that lets go of its stream and wants it back at once is asked again after half a second each time', async () => {
  let asked = 0;
  const dispatch: Dispatcher['dispatch'] = (_options, handler) => {
    asked += 1;
    const controller = { aborted: false, paused: false, reason: null, abort: () => {}, pause: () => {}, resume: () => {} };
    handler.onRequestStart?.(controller, null);
    handler.onResponseStart?.(controller, 200, { 'content-type': 'text/event-stream' });
    handler.onResponseData?.(controller, Buffer.from('retry: 0\nid: 1\ndata: \n\n'));
    handler.onResponseEnd?.(controller, {});
    return true;
  };
  const place: StreamPlace = {
    session: { id: 'one', protocolVersion: '2025-11-25', instance: null, record: null },
    request: () => ({ pool: { dispatch } as unknown as Dispatcher, path: '/', headers: {}, timeoutMs: 1_000 }),
  };
  const stream = new ServerStream({
    locate: (_useless: UpstreamSession | null) => Promise.resolve(place),
    event: () => undefined,
    lastEventId: null,
    useless: null,
  });
  await stream.open();
  await vi.advanceTimersByTimeAsync(1_600);
  expect(asked).toBe(4);
  stream.close();
  await vi.advanceTimersByTimeAsync(2_000);
  expect(asked).toBe(4);
});
