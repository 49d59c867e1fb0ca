import type { ServerResponse } from 'node:http';
import { afterEach, expect, it } from 'vitest';
import { startGateway, type TestGateway } from './support/gateway.ts';
import { type RawRequest, type RawUpstream, startRawUpstream } from './support/raw-upstream.ts';

let upstream: RawUpstream;
let gateway: TestGateway;

afterEach(async () => {
  await gateway.close();
  await upstream.close();
});

const answerFine = ({ message }: RawRequest, response: ServerResponse): void => {
  response
    .writeHead(200, { 'content-type': 'application/json' })
    .end(JSON.stringify({ jsonrpc: '2.0', id: message.id, result: { content: [] } }));
};

async function call(): Promise<{ result?: { isError?: boolean; _meta?: Record<string, { code: string }> } }> {
  const headers = { authorization: 'Bearer ada', 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
  const body = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"}}';
  return (await (await fetch(gateway.url('raw'), { method: 'POST', headers, body })).json()) as never;
}

it("reaches the server on every request of its session, in place of the caller's own token", async () => {
  upstream = await startRawUpstream(answerFine);
  const releaseCredential = async (): Promise<{ status: number; body: Buffer }> => ({
    status: 200,
    body: Buffer.from('{"headers":{"Authorization":"Bearer upstream-key"}}'),
  });
  gateway = await startGateway({
    servers: [{ slug: 'raw', url: upstream.url, era: 'legacy', tools: ['t'], hasCredential: true }],
    releaseCredential,
  });
  expect((await call()).result?.isError).toBeUndefined();
  expect(upstream.seen.map(({ headers, message }) => [message.method, headers.authorization])).toEqual([
    ['initialize', 'Bearer upstream-key'],
    ['notifications/initialized', 'Bearer upstream-key'],
    ['tools/call', 'Bearer upstream-key'],
  ]);
});

it('that cannot be had keeps the call from being sent without it', async () => {
  upstream = await startRawUpstream(answerFine);
  gateway = await startGateway({ servers: [{ slug: 'raw', url: upstream.url, era: 'legacy', tools: ['t'], hasCredential: true }] });
  expect((await call()).result?._meta?.['com.patchbay/error']?.code).toBe('upstream.credential_unavailable');
  expect(upstream.seen).toEqual([]);
});
