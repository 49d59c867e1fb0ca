import { startLegacyUpstream } from '@patchbay/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Platform } from './support/platform.ts';
import { callModern, type RpcAnswer } from './support/raw.ts';
import { until } from './support/until.ts';

/** A change must be enforced this long after the API answered it. */
const ENFORCED_WITHIN_MS = 250;

let platform: Platform;
let upstream: Awaited<ReturnType<typeof startLegacyUpstream>>;

beforeAll(async () => {
  [platform, upstream] = await Promise.all([Platform.start(), startLegacyUpstream()]);
  await platform.register('old', upstream.url);
});

afterAll(async () => {
  await Promise.all([platform.dispose(), upstream.close()]);
});

const echo = (token = platform.facts.token): Promise<{ status: number; json: RpcAnswer }> =>
  callModern(platform.mcpUrl('old'), token, 'tools/call', { name: 'echo', arguments: { message: 'x' } });
const served = (answer: { json: RpcAnswer }): boolean => answer.json.result?.['content'] !== undefined;

async function enforcedMs(holds: () => Promise<boolean>): Promise<number> {
  const answeredAt = performance.now();
  await until(holds, { what: 'enforcement', timeoutMs: 2_000 });
  return performance.now() - answeredAt;
}

test('a grant that is withdrawn, and one that is given, hold within 250 ms', async () => {
  await until(async () => served(await echo()), { what: 'the first call' });
  const { items } = (await platform.api.org('GET', '/grants')).body as unknown as { items: { id: string; server: string }[] };
  const grant = items.find(({ server }) => server === 'old');
  await platform.api.expect(204, 'DELETE', `/grants/${grant?.id}`);
  expect(await enforcedMs(async () => (await echo()).status === 403)).toBeLessThan(ENFORCED_WITHIN_MS);
  await platform.api.grantAll('old');
  expect(await enforcedMs(async () => served(await echo()))).toBeLessThan(ENFORCED_WITHIN_MS);
});

test('a revoked token is refused within 250 ms, a fresh one works at once', async () => {
  const minted = await platform.api.expect(201, 'POST', '/tokens', { name: 'short-lived' });
  const token = String(minted['token']);
  expect(served(await echo(token))).toBe(true);
  await platform.api.expect(204, 'DELETE', `/tokens/${String(minted['id'])}`);
  expect(await enforcedMs(async () => (await echo(token)).status === 401)).toBeLessThan(ENFORCED_WITHIN_MS);
});

test('a registered server is served, and a removed one gone, within 250 ms; its slug can be used again', async () => {
  await platform.api.register('passing', upstream.url);
  const call = (): ReturnType<typeof callModern> =>
    callModern(platform.mcpUrl('passing'), platform.facts.token, 'tools/call', { name: 'echo', arguments: { message: 'x' } });
  expect(await enforcedMs(async () => served(await call()))).toBeLessThan(ENFORCED_WITHIN_MS);
  await platform.api.expect(204, 'DELETE', '/servers/passing');
  expect(await enforcedMs(async () => (await call()).status === 403)).toBeLessThan(ENFORCED_WITHIN_MS);
  await platform.api.register('passing', upstream.url);
  await platform.api.expect(204, 'DELETE', '/servers/passing');
});

test('a grant of named tools opens those and nothing else', async () => {
  await platform.api.register('narrow', upstream.url, { grant: false });
  await platform.api.expect(201, 'POST', '/grants', {
    subject: { kind: 'everyone' },
    server: 'narrow',
    tools: { mode: 'names', names: ['echo'] },
  });
  const url = platform.mcpUrl('narrow');
  const { token } = platform.facts;
  await until(async () => (await callModern(url, token, 'tools/list')).status === 200, { what: 'the grant' });
  const list = await callModern(url, token, 'tools/list');
  expect(list.json.result?.['tools']).toMatchObject([{ name: 'echo' }]);
  const refused = await callModern(url, token, 'tools/call', { name: 'count' });
  const missing = await callModern(url, token, 'tools/call', { name: 'no-such-tool' });
  expect(refused).toEqual(missing);
  expect(refused.json.error?.code).toBe(-32602);
  expect((await callModern(url, token, 'resources/read', { uri: 'note://one' })).json.error?.code).toBe(-32602);
  expect((await callModern(url, token, 'prompts/get', { name: 'greet', arguments: { name: 'x' } })).json.error?.code).toBe(-32602);
});

test('a server that cannot be reached is registered all the same and says why, in words', async () => {
  await platform.api.expect(201, 'POST', '/servers', { kind: 'streamable-http', slug: 'absent', url: 'http://127.0.0.1:9/mcp' });
  const server = await until(
    async () => {
      const { body } = await platform.api.org('GET', '/servers/absent');
      return body['status'] === 'unreachable' ? body : null;
    },
    { what: 'the failed discovery', timeoutMs: 20_000 },
  );
  expect(String(server['statusDetail'])).toMatch(/could not be reached|refused|may not be reached/i);
});
