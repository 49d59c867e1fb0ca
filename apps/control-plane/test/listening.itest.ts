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
