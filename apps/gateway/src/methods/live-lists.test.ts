import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Principal } from '@patchbay/contracts';
import type { Dispatcher } from 'undici';
import { expect, test } from 'vitest';
import { CallContext } from '../pipeline/context.ts';
import type { CompiledServer, CompiledSnapshot } from '../snapshot/compiled.ts';
import type { Upstream } from '../upstream/upstreams.ts';
import { LiveLists } from './live-lists.ts';

/** A modern server that offers one tool, in an answer that holds far more. */
function chatty(): Dispatcher {
  const answer = (id: unknown): object => ({
    jsonrpc: '2.0',
    id,
    result: { resultType: 'complete', tools: [{ name: 'mine', inputSchema: { type: 'object' } }], padding: 'x'.repeat(1_000_000) },
  });
  const dispatch: Dispatcher['dispatch'] = ({ body }, handler) => {
    const controller = { aborted: false, paused: false, reason: null, abort: () => {}, pause: () => {}, resume: () => {} };
    handler.onRequestStart?.(controller, null);
    handler.onResponseStart?.(controller, 200, { 'content-type': 'application/json' });
    handler.onResponseData?.(controller, Buffer.from(JSON.stringify(answer(JSON.parse(body as string).id))));
    handler.onResponseEnd?.(controller, {});
    return true;
  };
  return { dispatch } as unknown as Dispatcher;
}

test('what a server said is remembered without the rest of its answer', async () => {
  const server = {
    ...{ id: 'server', slug: 'live', hasCredential: false, sampling: 'relayed', timeouts: { requestMs: 1_000 } },
    catalogue: { era: 'modern' },
  } as unknown as CompiledServer;
  const upstream = { server, headers: {}, ways: { to: () => ({ pool: chatty(), path: '/' }) } } as unknown as Upstream;
  const lists = new LiveLists({
    credentials: { resolve: () => Promise.reject(new Error('none is needed')), drop: () => {}, dropAll: () => {} },
    resolveUpstream: () => upstream,
    sessions: { current: () => Promise.reject(new Error('none')), replace: () => Promise.reject(new Error('none')) },
  });
  const ctx = new CallContext({} as IncomingMessage, {} as ServerResponse, 0);
  ctx.principal = { organisationId: 'acme', userId: 'ada' } as unknown as Principal;
  Object.assign(ctx, { era: 'modern', snapshot: {} as CompiledSnapshot });
  const { entries, isSilent } = await lists.read(ctx, server, 'tools/list');
  const [mine, ...others] = [...entries];
  expect([mine?.name, others, isSilent]).toEqual(['mine', [], false]);
  expect(mine?.definition.buffer.byteLength).toBe(mine?.definition.length);
});
