import { randomUUID } from 'node:crypto';
import { type LegacyUpstream, type ModernUpstream, startLegacyUpstream, startModernUpstream } from '@patchbay/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startGateway, type TestGateway } from './support/gateway.ts';
import { initialize } from './support/legacy-server.ts';
import { modernInit } from './support/modern-call.ts';
import { type RawUpstream, startRawUpstream } from './support/raw-upstream.ts';

let legacy: LegacyUpstream;
let modern: ModernUpstream;
let failing: RawUpstream;
let gateway: TestGateway;
const ids = { legacyNow: randomUUID(), modernNow: randomUUID() };

beforeAll(async () => {
  [legacy, modern] = [await startLegacyUpstream(), await startModernUpstream()];
  failing = await startRawUpstream((_request, response) => void response.writeHead(503).end());
  const of = { tools: ['echo'] };
  gateway = await startGateway({
    servers: [
      { ...of, slug: 'legacy', url: legacy.url, era: 'legacy' },
      { ...of, slug: 'modern', url: modern.url, era: 'modern' },
      { ...of, slug: 'failing', url: failing.url, era: 'modern' },
      { ...of, slug: 'legacy-now', id: ids.legacyNow, url: legacy.url, era: 'modern' },
      { ...of, slug: 'modern-now', id: ids.modernNow, url: modern.url, era: 'legacy' },
    ],
  });
});

afterAll(async () => {
  await Promise.all([gateway, legacy, modern, failing].map((each) => each.close()));
});

const call = (slug: string): Promise<Response> =>
  fetch(gateway.url(slug), modernInit('tools/call', { name: 'echo', arguments: { message: 'hi' } }));

/** Those that the gateway doubted meanwhile. */
async function doubtedBy(work: () => Promise<unknown>): Promise<readonly string[]> {
  const before = gateway.doubted.length;
  await work();
  return gateway.doubted.slice(before);
}

describe('a server that answers as one of the other era than it was found to be of', () => {
  it('is doubted when one known as modern refuses a request of its revision', async () => {
    expect(await doubtedBy(() => call('legacy-now'))).toEqual([ids.legacyNow]);
  });

  it('is doubted when one known as legacy refuses to open a session, for us or for its client', async () => {
    expect(await doubtedBy(() => call('modern-now'))).toEqual([ids.modernNow]);
    expect(await doubtedBy(() => initialize(gateway.url('modern-now'), {}).catch(() => undefined))).toEqual([ids.modernNow]);
  });

  it('is not doubted while it answers as known, or only fails', async () => {
    const unfailing = async (): Promise<void> => {
      await Promise.all([call('legacy'), call('modern'), call('failing')]);
      // One of its revision alone may well refuse that.
      await initialize(gateway.url('modern'), {});
    };
    expect(await doubtedBy(unfailing)).toEqual([]);
    expect(failing.seen.length).toBeGreaterThan(0);
  });
});
