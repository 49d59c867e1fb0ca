import { listen } from '@patchbay/testkit';
import { afterEach, expect, it, vi } from 'vitest';
import type { CompiledServer, CompiledSnapshot } from '../src/snapshot/compiled.ts';
import { ask } from '../src/upstream/ask.ts';
import { makePools, type Pools } from '../src/upstream/pool.ts';

let pools: Pools;
afterEach(() => pools.close());

const SERVER = { slug: 's', timeouts: { connectMs: 500, requestMs: 1_000 } } as CompiledServer;
const OPEN = [{ cidr: '127.0.0.1/32', port: null }];

function snapshot(egressOpenings: CompiledSnapshot['egressOpenings']): CompiledSnapshot {
  return { organisationId: 'o', egressOpenings } as CompiledSnapshot;
}

async function statusOf(rules: CompiledSnapshot, origin: string): Promise<number | string> {
  const pool = pools.get(rules, SERVER, origin);
  const asked = await ask({ request: { pool, method: 'POST', path: '/', headers: {}, body: '', timeoutMs: 1_000 }, slug: 's', id: null });
  return 'code' in asked ? asked.code : asked.status;
}

it('an opening that is taken back also closes the connections that it allowed', async () => {
  pools = makePools({ refusedAddresses: [], clock: { nowMs: () => Date.now() } });
  const upstream = await listen((_request, response) => void response.writeHead(202).end());
  const { origin } = new URL(upstream.url);
  expect(await statusOf(snapshot(OPEN), origin)).toBe(202);
  expect(await statusOf(snapshot([...OPEN]), origin)).toBe(202);
  expect(await statusOf(snapshot([]), origin)).toBe('upstream.egress');
  await upstream.close();
});

it('keeps tenants from our own listeners, whatever is opened for them', async () => {
  const upstream = await listen((_request, response) => void response.writeHead(202).end());
  const { origin, port } = new URL(upstream.url);
  pools = makePools({ refusedAddresses: [{ host: '127.0.0.1', port: Number(port) }], clock: { nowMs: () => Date.now() } });
  expect(await statusOf(snapshot(OPEN), origin)).toBe('upstream.egress');
  await upstream.close();
});

it('ends a stream that an opening no longer allows, however long it has lasted', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  try {
    let nowMs = 0;
    pools = makePools({ refusedAddresses: [], clock: { nowMs: () => nowMs } });
    const upstream = await listen((_request, response) => response.writeHead(200).flushHeaders());
    const { origin } = new URL(upstream.url);
    const { body } = await pools.get(snapshot(OPEN), SERVER, origin, 'streams').request({ method: 'GET', path: '/' });
    const ended = body.text().then(
      () => 'ended',
      () => 'ended',
    );
    nowMs += 10 * 60_000;
    vi.advanceTimersByTime(60_000);
    pools.get(snapshot([]), SERVER, origin, 'streams');
    expect(await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 1_000, 'goes on'))])).toBe('ended');
    await upstream.close();
  } finally {
    vi.useRealTimers();
  }
});
