import { INTERNAL_PATHS } from '@patchbay/contracts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Installation, until } from './support/installation.ts';

let installation: Installation;

beforeAll(async () => {
  installation = await Installation.start();
});

afterAll(() => installation.stop());

async function metrics(): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${installation.internalPort}/metrics`);
  expect(answer.status).toBe(200);
  return answer.text();
}

async function value(series: string): Promise<number> {
  const line = (await metrics()).split('\n').find((each) => each.startsWith(`${series} `));
  return line === undefined ? Number.NaN : Number(line.slice(series.length + 1));
}

test('metrics need no secret on loopback, and answer to no other name', async () => {
  expect(await value('patchbay_build_info{program="control-plane",version="0.1.0"}')).toBe(1);
  expect(await installation.internalStatus('/metrics', 'evil.example')).toBe(421);
  expect((await fetch(`${installation.url}/metrics`)).status).toBe(404);
});

test('requests are counted by the pattern of their route, and what strangers make up is one series', async () => {
  const list = (status: string): string =>
    `patchbay_control_plane_requests_total{listener="api",method="GET",route="/api/v1/orgs/:org/servers",status="${status}"}`;
  const invented = 'patchbay_control_plane_requests_total{listener="api",method="GET",route="none",status="4xx"}';
  const [before, inventedBefore] = [await value(list('2xx')), await value(invented)];
  await installation.api('GET', '/servers');
  await installation.call('GET', '/api/v1/orgs/default/servers');
  for (let at = 0; at < 20; at += 1) await installation.call('GET', `/made-up-${at}`);
  expect(await value(list('2xx'))).toBe((before || 0) + 1);
  expect(await value(list('4xx'))).toBe(1);
  expect(await value(invented)).toBe((inventedBefore || 0) + 20);
  const text = await metrics();
  expect(text).not.toContain('made-up');
  expect(text).toMatch(/requests_total\{listener="internal",method="GET",route="\/metrics",status="2xx"\} [1-9]/);
});

test('tries to sign in are counted by result and never by who', async () => {
  const browser = { origin: installation.url, 'patchbay-request': '1' };
  const body = { organisation: 'default', email: 'nobody@example.test', password: 'wrong-password' };
  await installation.call('POST', '/api/v1/session', { headers: browser, body });
  expect(await value('patchbay_control_plane_sign_ins_total{result="failed"}')).toBe(1);
  expect(await value('patchbay_control_plane_sign_ins_total{result="ok"}')).toBe(0);
  expect(await metrics()).not.toContain('nobody');
});

test('a change moves the revision, the publishes and the announcements', async () => {
  const before = await value('patchbay_control_plane_announcements_total');
  const revision = (await value('patchbay_control_plane_revision{organisation="default"}')) || 0;
  await installation.api('PATCH', '/servers/memory', { timeouts: { requestMs: 4321 } });
  await until(
    async () => (await value('patchbay_control_plane_revision{organisation="default"}')) > revision,
    'the new revision in the metrics',
  );
  // The revision is read from the database: it may be seen before it is published.
  await until(async () => (await value('patchbay_control_plane_announcements_total')) > before, 'the announcement');
  await until(async () => (await value('patchbay_control_plane_publish_duration_seconds_count{result="ok"}')) > 0, 'the publish');
  expect(await value('patchbay_control_plane_publish_duration_seconds_count{result="failed"}')).toBe(0);
});

test('what is committed and cannot be published is counted, and grows older', async () => {
  const organisation = (await installation.internal(INTERNAL_PATHS.revisions)).body.organisations[0].organisationId as string;
  const other = await installation.sql();
  await other.query('begin');
  await other.query('select pg_advisory_xact_lock(hashtextextended($1, 7270))', [organisation]);
  await installation.api('PATCH', '/servers/memory', { timeouts: { requestMs: 1111 } });
  const age = (): Promise<number> => value('patchbay_control_plane_outbox_oldest_seconds');
  await until(async () => (await age()) > 1, 'the age of the change');
  expect(await value('patchbay_control_plane_outbox_changes')).toBe(1);
  const first = await age();
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(await age()).toBeGreaterThan(first + 0.2);
  await other.query('rollback');
  await other.end();
  await until(async () => (await age()) === 0, 'the change published');
  expect(await value('patchbay_control_plane_outbox_changes')).toBe(0);
});

test('jobs, discoveries and connections are counted', async () => {
  await until(async () => (await value('patchbay_control_plane_job_duration_seconds_count{kind="sweep",result="done"}')) > 0, 'a sweep');
  await installation.api('POST', '/servers', { kind: 'streamable-http', slug: 'nobody', url: 'http://127.0.0.1:9/mcp' });
  await until(async () => (await value('patchbay_control_plane_discoveries_total{outcome="failed"}')) > 0, 'the failed discovery');
  const connections = async (state: string): Promise<number> => value(`patchbay_control_plane_database_connections{state="${state}"}`);
  expect((await connections('busy')) + (await connections('idle'))).toBeGreaterThan(0);
  expect(await connections('waiting')).toBe(0);
  for (const port of ['bus', 'parts', 'directory', 'sharedStore'])
    expect(await value(`patchbay_control_plane_store_errors_total{port="${port}"}`)).toBe(0);
});
