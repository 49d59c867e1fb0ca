import type { ServerResponse } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { startGateway, type TestGateway } from './support/gateway.ts';
import { askedIn, modernCall, textIn } from './support/modern-call.ts';
import { type RawUpstream, startRawUpstream } from './support/raw-upstream.ts';

let upstream: RawUpstream;
let gateway: TestGateway;

afterEach(async () => {
  await gateway.close();
  await upstream.close();
});

const event = (id: number, message: object): string => `id: ${id}\ndata: ${JSON.stringify({ jsonrpc: '2.0', ...message })}\n\n`;
const question = (id: string): object => {
  const params = { mode: 'form', message: id, requestedSchema: { type: 'object', properties: {} } };
  return { id, method: 'elicitation/create', params };
};
const withdrawn = (requestId: string): object => ({ method: 'notifications/cancelled', params: { requestId } });

/** A server that answers a call with these events, of which it keeps the stream open; and the rest of it with its answer. */
async function start(events: (response: ServerResponse) => void): Promise<void> {
  let callId: unknown = null;
  upstream = await startRawUpstream(
    ({ message }, response) => {
      callId = message.id;
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      events(response);
    },
    (headers, response) => {
      if (headers['last-event-id'] === undefined) return void response.writeHead(405).end();
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const text = `after ${String(headers['last-event-id'])}`;
      response.end(event(9, { id: callId, result: { content: [{ type: 'text', text }] } }));
    },
  );
  gateway = await startGateway({ servers: [{ slug: 'raw', url: upstream.url, era: 'legacy', tools: ['t'], requestMs: 4_000 }] });
}

test('a server that withdraws all that it asked and lets go of its stream at once is asked for the rest', async () => {
  await start((response) => response.end(event(1, question('q1')) + event(2, withdrawn('q1'))));
  expect(textIn(await modernCall(gateway.url('raw'), { name: 't' }))).toBe('after 2');
});

test('a server that withdraws all that it asked and lets go of its stream later is asked for the rest', async () => {
  await start((response) => {
    response.write(event(1, question('q1')) + event(2, withdrawn('q1')));
    setTimeout(() => response.end(), 200);
  });
  expect(textIn(await modernCall(gateway.url('raw'), { name: 't' }))).toBe('after 2');
});

test('a server that asks more at once than a person may be shown is told so for the rest', async () => {
  await start((response) => response.write(Array.from({ length: 40 }, (_, n) => event(n, question(`q${n}`))).join('')));
  expect(askedIn(await modernCall(gateway.url('raw'), { name: 't' })).keys).toHaveLength(32);
  await expect.poll(() => upstream.seen.filter(({ message }) => message.error !== undefined).length).toBe(8);
});
