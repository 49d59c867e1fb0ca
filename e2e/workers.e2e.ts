import { ENV } from '@patchbay/contracts';
import { type LegacyUpstream, startLegacyUpstream } from '@patchbay/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect, textOf } from './support/clients.ts';
import { Platform } from './support/platform.ts';
import { pidsOf, processesOf } from './support/processes.ts';
import { callModern } from './support/raw.ts';
import { until } from './support/until.ts';

const WORKERS = 2;
let platform: Platform;

let upstream: LegacyUpstream;

beforeAll(async () => {
  [platform, upstream] = await Promise.all([Platform.start({ [ENV.gatewayWorkers]: String(WORKERS) }), startLegacyUpstream()]);
  await platform.register('old', upstream.url);
});

afterAll(() => Promise.all([platform.dispose(), upstream.close()]));

const adminOf = (worker: number): string => `http://127.0.0.1:${platform.ports.admin + worker}`;
const isReady = async (worker: number): Promise<boolean> => {
  const answer = await fetch(`${adminOf(worker)}/readyz`).catch(() => null);
  await answer?.body?.cancel();
  return answer?.status === 200;
};
const allReady = (): Promise<boolean> =>
  until(async () => (await Promise.all([0, 1].map(isReady))).every(Boolean), { what: 'every worker', timeoutMs: 20_000 });

/** Calls that a worker has counted. */
async function counted(worker: number): Promise<number> {
  const text = await (await fetch(`${adminOf(worker)}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line.startsWith('patchbay_gateway_calls_total{') && line.includes('server="old"'));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

/** A new connection for each: workers share connections out, not calls. */
const echo = (): ReturnType<typeof callModern> =>
  callModern(platform.mcpUrl('old'), platform.facts.token, 'tools/call', { name: 'echo', arguments: { message: 'x' } });

test('connections go round among the workers, and a session goes on with whichever comes next', async () => {
  await allReady();
  const client = await connect('2025-11-25 (client 1.32)', platform.mcpUrl('old'), platform.facts.token);
  for (let call = 0; call < 12; call += 1) {
    expect((await echo()).json.result?.['content']).toBeDefined();
    expect(textOf(await client.callTool({ name: 'echo', arguments: { message: 'y' } }))).toContain('y');
  }
  for (let worker = 0; worker < WORKERS; worker += 1) expect(await counted(worker), `calls of worker ${worker}`).toBeGreaterThan(0);
});

test('a worker that is killed is started again, and its neighbour serves meanwhile', async () => {
  await allReady();
  const before = pidsOf(platform.home, 'apps/gateway');
  expect(before).toHaveLength(1 + WORKERS);
  process.kill(Math.max(...before), 'SIGKILL');
  await until(async () => (await echo().catch(() => null))?.json.result?.['content'] !== undefined, { what: 'a call' });
  await until(() => pidsOf(platform.home, 'apps/gateway').some((pid) => !before.includes(pid)), {
    what: 'another worker',
    timeoutMs: 20_000,
  });
  await allReady();
});

test('a stop ends them all', async () => {
  expect(await platform.down('SIGTERM')).toBe(0);
  expect(processesOf(platform.home)).toEqual([]);
});
