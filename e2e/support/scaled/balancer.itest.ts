import { createServer, request } from 'node:http';
import { listen } from '@patchbay/testkit';
import { afterEach, expect, test } from 'vitest';
import { reservePort } from '../ports.ts';
import { until } from '../until.ts';
import { type Backend, startBalancer, type Passage } from './balancer.ts';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await Promise.all(closers.splice(0).map((close) => close()));
});

async function backend(
  name: string,
  answer: Parameters<typeof listen>[0],
): Promise<{ name: string; port: number; close(): Promise<void> }> {
  const listening = await listen(answer);
  closers.push(() => listening.close());
  return { name, port: listening.port, close: () => listening.close() };
}

async function balance(backends: readonly Backend[]): Promise<{ url: string; sent: Passage[] }> {
  const sent: Passage[] = [];
  const balancer = await startBalancer({ port: await reservePort(), backends, onSent: (passage) => sent.push(passage) });
  closers.push(() => balancer.close());
  return { url: balancer.url, sent };
}

const says = (name: string) => (_request: unknown, response: { end(text: string): unknown }) => void response.end(name);

test('requests go round, one backend after another, and a refused connection goes on to the next', async () => {
  const [a, b] = [await backend('a', says('a')), await backend('b', says('b'))];
  const { url, sent } = await balance([a, b]);
  const ask = async (): Promise<string> => (await fetch(url, { headers: { 'chaos-call': 'x' } })).text();
  expect([await ask(), await ask(), await ask()]).toEqual(['a', 'b', 'a']);
  await b.close();
  expect([await ask(), await ask()]).toEqual(['a', 'a']);
  expect(sent.map((passage) => passage.backend)).toEqual(['a', 'b', 'a', 'a', 'a']);
  expect(sent[0]?.call).toBe('x');
  await a.close();
  expect((await fetch(url)).status).toBe(503);
});

test('one that says it is not ready is sent nothing new until it is ready again', async () => {
  let status = 503;
  const probe = await listen((_asked, response) => response.writeHead(status).end());
  closers.push(() => probe.close());
  const [leaving, other] = [await backend('leaving', says('leaving')), await backend('other', says('other'))];
  const { url } = await balance([{ ...leaving, readyUrl: `http://127.0.0.1:${probe.port}/` }, other]);
  const four = async (): Promise<Set<string>> =>
    new Set(await Promise.all(Array.from({ length: 4 }, async () => (await fetch(url)).text())));
  await until(async () => (await four()).size === 1, { what: 'the balancer has seen it' });
  expect(await four()).toEqual(new Set(['other']));
  status = 200;
  await until(async () => (await four()).size === 2, { what: 'the balancer has seen that it is back' });
});

test('a backend that breaks after it was sent something is nobody else’s work', async () => {
  let seen = 0;
  const dies = await backend('dies', (asked) => {
    seen += 1;
    asked.socket.destroy();
  });
  const healthy = await backend('healthy', says('healthy'));
  const { url } = await balance([dies, healthy]);
  expect((await fetch(url, { method: 'POST', body: 'x' })).status).toBe(502);
  expect(seen).toBe(1);
});

test('a stream passes as it comes, and one that breaks breaks for the client too', async () => {
  const chunks: string[] = [];
  let end = (): void => undefined;
  const streams = await backend('streams', (_asked, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('data: 1\n\n');
    end = () => response.destroy();
  });
  const { url } = await balance([streams]);
  const broken = new Promise((resolve, reject) => {
    request(url, (answer) => {
      answer.on('data', (chunk: Buffer) => {
        chunks.push(chunk.toString());
        end();
      });
      answer.on('error', resolve);
      answer.on('end', reject);
    }).end();
  });
  await broken;
  expect(chunks).toEqual(['data: 1\n\n']);
});

test('a client that goes away takes its request with it; Host, status, headers and body arrive as they were', async () => {
  const gone = Promise.withResolvers<void>();
  const echoes = await backend('echoes', (asked, response) => {
    if (asked.url === '/hang') return void asked.socket.on('close', () => gone.resolve());
    response.writeHead(418, { 'x-host': asked.headers.host ?? '', 'set-cookie': ['a=1', 'b=2'] });
    asked.pipe(response);
  });
  const { url } = await balance([echoes]);
  const answer = await fetch(`${url}/`, { method: 'POST', body: 'as it was' });
  expect([answer.status, answer.headers.get('x-host'), answer.headers.getSetCookie(), await answer.text()]).toEqual([
    418,
    url.slice('http://'.length),
    ['a=1', 'b=2'],
    'as it was',
  ]);
  const controller = new AbortController();
  const hanging = fetch(`${url}/hang`, { signal: controller.signal });
  setTimeout(() => controller.abort(), 50);
  await expect(hanging).rejects.toThrow();
  await gone.promise;
});

test('a port stays reserved and is below those of outgoing connections', async () => {
  const ports = await Promise.all(Array.from({ length: 20 }, () => reservePort()));
  expect(new Set(ports).size).toBe(20);
  expect(Math.max(...ports)).toBeLessThan(32_768);
  const server = createServer().listen(ports[0], '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  await new Promise((resolve) => server.close(resolve));
});
