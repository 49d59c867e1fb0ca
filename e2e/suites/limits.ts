import { startLegacyUpstream } from '@patchbay/testkit';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { StartPlatform, TestPlatform } from '../support/test-platform.ts';
import { callModern, type RpcAnswer } from '../support/raw.ts';
import { until } from '../support/until.ts';

/** A change must be enforced this long after the API answered it. */
const ENFORCED_WITHIN_MS = 1_000;

/** Limits that are set over the API hold on every gateway, and on all of them together. */
export function limits(start: StartPlatform): void {
  let platform: TestPlatform;
  let upstream: Awaited<ReturnType<typeof startLegacyUpstream>>;

  beforeAll(async () => {
    [platform, upstream] = await Promise.all([start(), startLegacyUpstream()]);
    await platform.register('old', upstream.url);
    await until(async () => (await Promise.all(platform.endpoints('old').map(refusedBy))).every((rule) => rule === null), {
      what: 'the first calls',
    });
  });

  afterEach(async () => {
    const { items } = (await platform.api.org('GET', '/limits')).body as unknown as { items: { id: string }[] };
    for (const { id } of items) await platform.api.expect(204, 'DELETE', `/limits/${id}`);
  });

  afterAll(async () => {
    await Promise.all([platform.dispose(), upstream.close()]);
  });

  /** The limit that refused a call at this address; null when it was served. */
  async function refusedBy(url: string): Promise<unknown> {
    const params = { name: 'echo', arguments: { message: 'x' } };
    const { json }: { json: RpcAnswer } = await callModern(url, platform.facts.token, 'tools/call', params);
    if (json.result?.['content'] === undefined) return 'no answer of a tool';
    const meta = json.result['_meta'] as Record<string, { code: string; rule: string; counted: string }> | undefined;
    const error = meta?.['com.patchbay/error'];
    if (error === undefined) return null;
    return error.code === 'limit.exceeded' && error.counted === 'fleet' ? error.rule : error;
  }

  const everywhere = async (rule: unknown): Promise<boolean> =>
    (await Promise.all(platform.endpoints('old').map(refusedBy))).every((found) => found === rule);

  async function enforcedMs(rule: unknown): Promise<number> {
    const answeredAt = performance.now();
    await until(() => everywhere(rule), { what: 'enforcement', timeoutMs: 5_000 });
    return performance.now() - answeredAt;
  }

  test('a limit that is set, audited only or lifted holds within a second; calls before it do not count', async () => {
    const body = { name: 'one a day', applies: { server: 'old', tool: 'echo' }, windows: [{ seconds: 86_400, max: 1 }] };
    const { id } = await platform.api.expect(201, 'POST', '/limits', body);
    expect(await enforcedMs(id)).toBeLessThan(ENFORCED_WITHIN_MS);
    await platform.api.expect(200, 'PATCH', `/limits/${String(id)}`, { mode: 'audit' });
    expect(await enforcedMs(null)).toBeLessThan(ENFORCED_WITHIN_MS);
    await platform.api.expect(200, 'PATCH', `/limits/${String(id)}`, { mode: 'enforce' });
    expect(await enforcedMs(id)).toBeLessThan(ENFORCED_WITHIN_MS);
    await platform.api.expect(204, 'DELETE', `/limits/${String(id)}`);
    expect(await enforcedMs(null)).toBeLessThan(ENFORCED_WITHIN_MS);
  });

  test('all gateways together admit what a limit allows, whichever is called', async () => {
    const max = 40;
    const windows = (most: number): object => ({ windows: [{ seconds: 86_400, max: most }] });
    // Until each gateway had the limit, calls passed it: what they admit is counted from there.
    const { id } = await platform.api.expect(201, 'POST', '/limits', { name: 'some a day', ...windows(1) });
    await until(() => everywhere(id), { what: 'the limit on every gateway' });
    await platform.api.expect(200, 'PATCH', `/limits/${String(id)}`, windows(max));
    const urls = platform.endpoints('old');
    let admitted = 0;
    await until(
      async () => {
        const found = await Promise.all(urls.map(refusedBy));
        admitted += found.filter((rule) => rule === null).length;
        for (const rule of found) expect([null, id]).toContain(rule);
        // One was admitted before.
        return admitted >= max - 1 && found.every((rule) => rule === id);
      },
      // What a gateway had leased ahead comes back after two seconds.
      { what: 'the limit to be reached', timeoutMs: 15_000 },
    );
    expect(admitted).toBe(max - 1);
  });
}
