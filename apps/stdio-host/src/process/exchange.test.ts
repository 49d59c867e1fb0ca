import type { Isolation } from '@patchbay/contracts';
import { scanMessage } from '@patchbay/mcp-wire';
import { expect, test } from 'vitest';
import { Exchange, type Incoming } from './exchange.ts';
import { OutputTail } from './output-tail.ts';
import type { Reply } from './reply.ts';

/** A process that is a list of what it was sent. */
function exchange(isolation: Isolation = 'session') {
  const sent: Record<string, unknown>[] = [];
  const send = (line: Buffer | string) => sent.push(JSON.parse(line.toString()) as Record<string, unknown>) > 0;
  return {
    sent,
    on: new Exchange({ isolation, title: 'Stdio server "x"', send, tail: new OutputTail({}), onListChanged: () => undefined }),
  };
}

function incoming(message: object): Incoming {
  const bytes = Buffer.from(JSON.stringify({ jsonrpc: '2.0', ...message }));
  const scanned = scanMessage(bytes);
  if (!scanned.ok) throw new TypeError('not a message');
  return { bytes, message: scanned.message };
}

function reply(unreadSinceMs: number | null): Reply & { readonly got: string[] } {
  const got: string[] = [];
  return {
    ...{ unreadSinceMs, got },
    ...{
      pass: () => got.push('message'),
      finish: () => got.push('answer'),
      fail: ({ code }) => got.push(code),
      abandon: () => got.push('abandoned'),
    },
  };
}

const call = (id: number | string) => incoming({ id, method: 'tools/call', params: { name: 'x' } });
const line = (message: object) => Buffer.from(JSON.stringify({ jsonrpc: '2.0', ...message }));

test('what nobody has listened for since long is cancelled in the server’s own ids, and nothing else is', () => {
  for (const [isolation, ids] of [
    ['session', ['a', 7]],
    ['shared', [1, 2]],
  ] as const) {
    const { on, sent } = exchange(isolation);
    const [left, numbered, read, recent] = [reply(10), reply(20), reply(null), reply(21)];
    on.request('s', call('a'), left);
    on.request('s', call(7), numbered);
    on.request('s', call('b'), read);
    on.request('s', call('c'), recent);
    on.giveUpUnread(20);
    const cancelled = sent.filter(({ method }) => method === 'notifications/cancelled');
    expect(cancelled.map(({ params }) => (params as { requestId: unknown }).requestId)).toEqual(ids);
    expect([left, numbered, read, recent].map(({ got }) => got)).toEqual([['abandoned'], ['abandoned'], [], []]);
    expect(on.inFlight).toBe(2);
  }
});

test('a server that asks without end is declined once a thousand of its requests wait, and those wait on', () => {
  const { on, sent } = exchange();
  const heard: string[] = [];
  on.join({ id: 's', capabilities: new Set(['roots']), pass: (message) => heard.push(message.toString()) });
  for (let id = 0; id < 1_001; id += 1) on.receive(line({ id, method: 'roots/list' }));
  expect(heard).toHaveLength(1_000);
  expect(sent).toMatchObject([{ id: 1_000, error: { code: -32601 } }]);
  on.respond('s', incoming({ id: 0, result: { roots: [] } }));
  on.respond('s', incoming({ id: 0, result: { roots: ['again'] } }));
  expect(sent.slice(1)).toEqual([{ jsonrpc: '2.0', id: 0, result: { roots: [] } }]);
});

test('what a server asked a session that has ended is declined, so that it does not wait for ever', () => {
  const { on, sent } = exchange('principal');
  for (const id of ['s', 't']) on.join({ id, capabilities: new Set(['roots']), pass: () => undefined });
  on.request('t', call(1), reply(null));
  on.receive(line({ id: 'of-t', method: 'roots/list' }));
  on.leave('s', { code: 'session.gone', detail: null, data: {} });
  expect(sent).toHaveLength(1);
  on.leave('t', { code: 'session.gone', detail: null, data: {} });
  expect(sent.slice(1)).toMatchObject([{ id: 'of-t', error: { code: -32601 } }]);
});
