import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type LegacyUpstream, type ModernUpstream, startLegacyUpstream, startModernUpstream } from '@patchbay/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Installation, until } from './support/installation.ts';

let installation: Installation;
let modern: ModernUpstream;
let legacy: LegacyUpstream;

beforeAll(async () => {
  [modern, legacy] = [await startModernUpstream(), await startLegacyUpstream()];
  installation = await Installation.start();
  await Promise.all([register('new', modern.url), register('old', legacy.url)]);
});

afterAll(async () => {
  await installation.stop();
  await Promise.all([modern.close(), legacy.close()]);
});

async function register(slug: string, url: string): Promise<void> {
  expect((await installation.api('POST', '/servers', { kind: 'streamable-http', slug, url })).status).toBe(201);
  await until(async () => (await installation.api('GET', `/servers/${slug}`)).body.status !== 'pending', `discovery of ${slug}`);
}

const toolsOf = (slug: string): Promise<string[]> => toolsFrom(installation, slug);

const listeners = (at: Installation, state: string): Promise<number> => at.metric('patchbay_control_plane_listeners', `{state="${state}"}`);
const heardBy = (at: Installation, count: number): Promise<unknown> =>
  until(async () => (await listeners(at, 'heard')) === count, `${count} servers heard`);

test.each([
  ['modern', startModernUpstream],
  ['legacy', startLegacyUpstream],
] as const)(
  'a new server counts as changed once, also where it offers some no more than everybody, and is listened to (%s)',
  async (era, start) => {
    const upstream = await start();
    const changed = (): Promise<number> => installation.metric('patchbay_control_plane_discoveries_total', '{outcome="changed"}');
    try {
      await heardBy(installation, 2);
      const before = await changed();
      await register(`found-${era}`, upstream.url);
      await until(async () => (await changed()) > before, 'the new server is counted');
      await heardBy(installation, 3);
      expect((await changed()) - before).toBe(1);
    } finally {
      expect((await installation.api('DELETE', `/servers/found-${era}`)).status).toBe(204);
      await upstream.close();
    }
  },
);

test.each([
  ['new', () => modern],
  ['old', () => legacy],
])('what a server adds is in the catalogue at once, because it said so (%s)', async (slug, upstream) => {
  await heardBy(installation, 2);
  upstream().addTool('brand-new');
  await until(async () => (await toolsOf(slug)).includes('brand-new'), 'the new tool');
});

test('a storm of changes is few looks, and the last of it is never lost (trap 27)', async () => {
  await heardBy(installation, 2);
  const looks = (): Promise<number> => installation.metric('patchbay_control_plane_discoveries_total');
  const before = await looks();
  for (let count = 0; count < 40; count += 1) modern.addTool(`storm-${count}`);
  await until(async () => (await toolsOf('new')).includes('storm-39'), 'the last tool of the storm');
  expect((await looks()) - before).toBeLessThanOrEqual(3);
});

test('a server that forgot everybody is listened to again, and what it changed meanwhile is found', async () => {
  await heardBy(installation, 2);
  legacy.forgetSessions();
  legacy.cutStreams();
  legacy.addTool('meanwhile');
  await until(async () => (await toolsOf('old')).includes('meanwhile'), 'the tool that nobody was told of');
});

test('a server that is slow to answer holds up no other, also when it is no longer to be listened to', async () => {
  await heardBy(installation, 2);
  const [slow, later] = [await startModernUpstream(), await startModernUpstream()];
  const before = await startHolding(slow.url, 'tools/list');
  try {
    await register('slow', before.url);
    await heardBy(installation, 3);
    before.hold();
    slow.addTool('asked-for-in-vain');
    await until(async () => before.held() > 0, 'it is asked for its lists');
    expect((await installation.api('DELETE', '/servers/slow')).status).toBe(204);
    await heardBy(installation, 2);
    await register('later', later.url);
    await heardBy(installation, 3);
    expect((await installation.api('DELETE', '/servers/later')).status).toBe(204);
    await heardBy(installation, 2);
  } finally {
    before.close();
    await Promise.all([slow.close(), later.close()]);
  }
});

test('of two control planes one listens to a server; when it dies the other takes over', async () => {
  await heardBy(installation, 2);
  const other = await installation.beside();
  try {
    await until(async () => (await listeners(other, 'heard')) + (await listeners(other, 'not-heard')) === 0, 'the other listens to nobody');
    await installation.kill('SIGKILL');
    await heardBy(other, 2);
    modern.addTool('after-the-death');
    await until(async () => (await toolsFrom(other, 'new')).includes('after-the-death'), 'the tool');
  } finally {
    await other.kill('SIGTERM');
    await installation.up();
  }
});

async function toolsFrom(at: Installation, slug: string): Promise<string[]> {
  const { body } = await at.api('GET', `/servers/${slug}/catalogue`);
  return body.accepted.tools.map(({ name }: { name: string }) => name);
}

/** In front of a server; from `hold` on, requests of this method are never answered. */
async function startHolding(target: string, method: string) {
  let [isHolding, held] = [false, 0];
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const body = Buffer.concat(chunks);
      if (isHolding && body.includes(`"${method}"`)) return void (held += 1);
      const outgoing = request(target, { method: incoming.method, headers: incoming.headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers).flushHeaders();
        answer.pipe(response);
      });
      outgoing.on('error', () => response.destroy());
      response.on('close', () => outgoing.destroy());
      outgoing.end(body);
    });
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    hold: () => void (isHolding = true),
    held: () => held,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
