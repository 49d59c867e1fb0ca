import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { readAll } from './bounded-body.ts';
import { createInternalFleet, type InternalFleet, type InternalFleetOptions } from './internal-fleet.ts';
import type { InternalFetch } from './internal.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

type Member = { readonly url: URL; asked: number; close(): void };

async function member(handler: RequestListener): Promise<Member> {
  const server = createServer((request, response) => {
    serving.asked += 1;
    handler(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = (): void => {
    server.closeAllConnections();
    server.close();
  };
  cleanups.push(close);
  const serving: Member = { url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`), asked: 0, close };
  return serving;
}

const saying =
  (text: string): RequestListener =>
  (_request, response) =>
    response.end(text);

const silent: RequestListener = () => undefined;

function fleetOf(members: readonly Member[], timeoutMs = 3_000, understands?: InternalFleetOptions['understands']): InternalFleet {
  const fleet = createInternalFleet({
    baseUrls: members.map(({ url }) => url),
    home: 0,
    ...(understands === undefined ? {} : { understands }),
    bearer: { reveal: () => 'abc' },
    timeoutMs,
    maxBytes: 1_000,
  });
  cleanups.push(() => fleet.close());
  return fleet;
}

async function ask(fleet: InternalFetch): Promise<string> {
  const { status, body } = await fleet.request('/');
  return `${status} ${(await readAll(body)).toString()}`;
}

test('the next one is asked where one cannot be reached, and stays the first choice', async () => {
  const [gone, second, third] = [await member(saying('a')), await member(saying('b')), await member(saying('c'))];
  gone.close();
  const fleet = fleetOf([gone, second, third]);
  expect([await ask(fleet), await ask(fleet)]).toEqual(['200 b', '200 b']);
  expect([second.asked, third.asked]).toEqual([2, 0]);
});

test('one that takes questions and does not answer delays the first of them only', async () => {
  const [hanging, second] = [await member(silent), await member(saying('b'))];
  const fleet = fleetOf([hanging, second]);
  const startedAt = performance.now();
  expect(await ask(fleet)).toBe('200 b');
  expect(performance.now() - startedAt).toBeLessThan(2_000);
  expect(await ask(fleet)).toBe('200 b');
  expect(hanging.asked).toBe(1);
});

test('a failure of one is nobody’s answer while another has one; a refusal is', async () => {
  const failing = await member((_request, response) => response.writeHead(503).end('failing'));
  const [refusing, unasked] = [await member((_request, response) => response.writeHead(404).end('none')), await member(saying('c'))];
  expect(await ask(fleetOf([failing, refusing, unasked]))).toBe('404 none');
  expect(unasked.asked).toBe(0);
  expect(await ask(fleetOf([failing]))).toBe('503 failing');
  expect(await ask(fleetOf([failing, failing]))).toBe('503 failing');
});

test('where nobody can be reached, or answers in time, the question is rejected in its time', async () => {
  const [gone, alsoGone] = [await member(silent), await member(silent)];
  const startedAt = performance.now();
  await expect(ask(fleetOf([gone, alsoGone], 700))).rejects.toThrow(/timeout/i);
  expect(performance.now() - startedAt).toBeLessThan(2_500);
  gone.close();
  alsoGone.close();
  await expect(ask(fleetOf([gone, alsoGone]))).rejects.toThrow(/ECONNREFUSED/);
});

test('an asker that goes away is waited for by nobody', async () => {
  const fleet = fleetOf([await member(silent), await member(silent)]);
  await expect(fleet.request('/', { signal: AbortSignal.timeout(50) })).rejects.toThrow();
});

test('askers spread over the fleet', async () => {
  const members = [await member(saying('a')), await member(saying('b'))];
  for (let k = 0; k < 40; k += 1) {
    const fleet = createInternalFleet({
      baseUrls: members.map(({ url }) => url),
      bearer: { reveal: () => 'abc' },
      timeoutMs: 2_000,
      maxBytes: 100,
    });
    await ask(fleet);
    await fleet.close();
  }
  // One chance in 2^39 that a right fleet fails here.
  for (const { asked } of members) expect(asked).toBeGreaterThan(0);
});

test('an answer that is not understood is no answer, though each can be asked for what it says', async () => {
  const foreign: RequestListener = (_request, response) => response.writeHead(200, { 'x-speaks': 'other' }).end('bonjour');
  const [gone, first, second] = [await member(saying('')), await member(foreign), await member(saying('b'))];
  gone.close();
  const understands: InternalFleetOptions['understands'] = ({ headers }) => headers['x-speaks'] !== 'other';
  const fleet = fleetOf([first, second], 3_000, understands);
  expect([await ask(fleet), await ask(fleet), first.asked]).toEqual(['200 b', '200 b', 1]);
  await expect(ask(fleetOf([first], 3_000, understands))).rejects.toThrow('incompatible');
  const said = await fleetOf([first, gone, second], 3_000, understands).askEach('/', { timeoutMs: 1_000, maxBytes: 100 });
  expect(said.map(({ from, status, text }) => [from.href, status, text])).toEqual([
    [first.url.href, 200, 'bonjour'],
    [gone.url.href, null, ''],
    [second.url.href, 200, 'b'],
  ]);
});
