import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { listen } from '@patchbay/testkit';
import { afterEach, expect, test } from 'vitest';
import { connect, textOf } from './support/clients.ts';
import { Platform } from './support/platform.ts';
import { pidsOf, processesOf } from './support/processes.ts';
import { callModern } from './support/raw.ts';
import { until } from './support/until.ts';

let platform: Platform;

afterEach(async () => {
  await platform.dispose();
});

const works = async (): Promise<boolean> => {
  const { json } = await callModern(platform.mcpUrl(), platform.facts.token, 'tools/call', {
    name: 'everything_echo',
    arguments: { message: 'x' },
  });
  return json.result?.['isError'] === undefined && json.result?.['content'] !== undefined;
};
const worksAgain = (what: string): Promise<boolean> => until(() => works().catch(() => false), { what, timeoutMs: 20_000 });

test('a restart keeps organisation, token and data; a stop leaves no process behind', async () => {
  platform = await Platform.start();
  const { token } = platform.facts;
  const client = await connect('2025-11-25 (client 1.32)', platform.mcpUrl('memory'), token);
  await client.callTool({
    name: 'create_entities',
    arguments: { entities: [{ name: 'kept', entityType: 'test', observations: ['before the restart'] }] },
  });
  // A server whose discovery hangs does not hold up a stop.
  const hanging = await listen(() => {});
  await platform.api.expect(201, 'POST', '/servers', { kind: 'streamable-http', slug: 'hanging', url: hanging.url });
  await new Promise((resolve) => setTimeout(resolve, 300));
  const stoppedAt = Date.now();
  expect(await platform.down('SIGINT')).toBe(0);
  expect(Date.now() - stoppedAt).toBeLessThan(6_000);
  await hanging.close();
  expect(processesOf(platform.home)).toEqual([]);

  const warmSeconds = await platform.up();
  expect(platform.facts.token).toBe(token);
  const again = await connect('2025-11-25 (client 1.32)', platform.mcpUrl('memory'), token);
  expect(textOf(await again.callTool({ name: 'read_graph', arguments: {} }))).toContain('before the restart');
  expect(warmSeconds).toBeLessThan(15);
  expect(await platform.down('SIGTERM')).toBe(0);
  expect(processesOf(platform.home)).toEqual([]);
});

test('kill -9 of any one child is healed', async () => {
  platform = await Platform.start();
  for (const program of ['apps/gateway', 'apps/control-plane', 'apps/stdio-host', 'postgres']) {
    const victims = pidsOf(platform.home, program);
    expect(victims.length, `a process of ${program}`).toBeGreaterThan(0);
    process.kill(Math.min(...victims), 'SIGKILL');
    await worksAgain(`healing of ${program}`);
  }
  await until(async () => (await platform.api.org('GET', '/servers').catch(() => null))?.status === 200, {
    what: 'the API after its database died',
  });
  const minted = await platform.api.expect(201, 'POST', '/tokens', { name: 'after' });
  await until(async () => (await callModern(platform.mcpUrl('memory'), String(minted['token']), 'tools/list')).status === 200, {
    what: 'a token minted after the database died',
  });
});

test('after kill -9 of the supervisor the next start cleans up what is left, and serves', async () => {
  platform = await Platform.start();
  await platform.down('SIGKILL');
  await platform.up();
  expect(await works()).toBe(true);
  expect(pidsOf(platform.home, 'apps/gateway')).toHaveLength(1);
  expect(pidsOf(platform.home, 'apps/control-plane')).toHaveLength(1);
});

test('a second start on the same home says who runs, and disturbs nothing', async () => {
  platform = await Platform.start();
  const first = platform.process;
  const second = platform.spawn();
  const code = await new Promise((resolve) => second.once('exit', resolve));
  expect(code).not.toBe(0);
  expect(platform.output).toContain(String(first.pid));
  expect(await works()).toBe(true);
  first.kill('SIGTERM');
  await new Promise((resolve) => first.once('exit', resolve));
});

test('a taken port is named with what to set, and nothing is started', async () => {
  platform = await Platform.prepare();
  const squatter = createServer().listen(platform.ports.gateway, '127.0.0.1');
  await new Promise((resolve) => squatter.once('listening', resolve));
  const child = platform.spawn();
  const code = await new Promise((resolve) => child.once('exit', resolve));
  expect(code).not.toBe(0);
  expect(platform.output).toContain(String(platform.ports.gateway));
  expect(platform.output).toContain('PATCHBAY_GATEWAY_PORT');
  expect(processesOf(platform.home)).toEqual([]);
  squatter.close();
});

test('with the control plane away: known tokens work, one never seen gets 503 and not 401, a gateway restarts from what it has', async () => {
  platform = await Platform.start();
  expect(await works()).toBe(true);
  const unseen = await platform.api.expect(201, 'POST', '/tokens', { name: 'never used' });
  // Stopped, not killed: the supervisor would heal a dead one. Postgres with it, so that the directory is away too.
  const stopped = [...pidsOf(platform.home, 'apps/control-plane'), ...pidsOf(platform.home, 'postgres')];
  for (const pid of stopped) process.kill(pid, 'SIGSTOP');
  try {
    expect(await works()).toBe(true);
    const answer = await callModern(platform.mcpUrl(), String(unseen['token']), 'tools/list');
    expect(answer.status).toBe(503);
    const [gateway] = pidsOf(platform.home, 'apps/gateway');
    process.kill(gateway ?? 0, 'SIGKILL');
    await worksAgain('a gateway booted from its disk');
  } finally {
    for (const pid of stopped) process.kill(pid, 'SIGCONT');
  }
  await until(async () => (await callModern(platform.mcpUrl(), String(unseen['token']), 'tools/list')).status === 200, {
    what: 'the token, once it can be looked up',
  });
});

test('a change committed just before the control plane is killed reaches the gateway all the same', async () => {
  platform = await Platform.start();
  const { Client } = await import('pg');
  const database = new Client({ connectionString: readFileSync(join(platform.home, 'keys/owner-database.url'), 'utf8').trim() });
  await database.connect();
  const minted = await platform.api.expect(201, 'POST', '/tokens', { name: 'to revoke' });
  const token = String(minted['token']);
  const list = (): ReturnType<typeof callModern> => callModern(platform.mcpUrl(), token, 'tools/list');
  await until(async () => (await list()).status === 200, { what: 'the token' });
  // The publisher cannot write while we hold these: the API has committed and answered, nothing is published yet.
  await database.query('begin');
  await database.query('lock table ports.manifests, ports.directory_tokens in access exclusive mode');
  await platform.api.expect(204, 'DELETE', `/tokens/${String(minted['id'])}`);
  for (const pid of pidsOf(platform.home, 'apps/control-plane')) process.kill(pid, 'SIGKILL');
  await database.query('rollback');
  await database.end();
  await until(async () => (await list()).status === 401, { what: 'the revocation', timeoutMs: 20_000 });
});
