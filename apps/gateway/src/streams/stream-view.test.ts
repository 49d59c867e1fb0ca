import { scanMessage } from '@patchbay/mcp-wire';
import { expect, test } from 'vitest';
import type { ClientSession } from '../sessions/client-session.ts';
import { AS_IT_IS, guarded, type StreamView } from './stream-view.ts';

function shown(view: StreamView, message: object): unknown {
  const bytes = Buffer.from(JSON.stringify({ jsonrpc: '2.0', ...message }));
  const scanned = scanMessage(bytes);
  if (!scanned.ok) throw new Error('not a message');
  return view.message(bytes, scanned.message);
}

test('a server that says more than it may is told so of what it asks, and not of a flood of pings', () => {
  const view = guarded(AS_IT_IS, {
    admits: () => false,
    ownOrigin: 'https://patchbay.example',
    sampling: () => 'relayed',
    session: {} as ClientSession,
  });
  expect(shown(view, { id: 1, method: 'roots/list' })).toMatchObject({ code: -32600 });
  expect(shown(view, { id: 2, method: 'ping' })).toBeNull();
  expect(shown(view, { method: 'notifications/message', params: { level: 'info', data: '' } })).toBeNull();
});
