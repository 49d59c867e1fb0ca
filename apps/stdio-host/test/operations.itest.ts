import { request } from 'node:http';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Caller } from './support/caller.ts';
import { ORGANISATION, startHost, type TestHost, until } from './support/harness.ts';

/** Answers `initialize`, and ends neither with its input nor on SIGTERM. */
const STUBBORN = `
process.on('SIGTERM', () => undefined);
setInterval(() => undefined, 1000);
require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, params } = JSON.parse(line);
  const result = { protocolVersion: params?.protocolVersion, capabilities: {}, serverInfo: { name: 's', version: '1' } };
  if (id !== undefined) process.stdout.write(JSON.stringify({ jsonrpc: '2.0', id, result }) + '\\n');
});`;

let host: TestHost;
let isStopped: boolean;
beforeEach(async () => {
  isStopped = false;
  host = await startHost({ drainMs: 3_000 });
});
afterEach(async () => {
  if (!isStopped) await host.stop();
});

async function metrics(): Promise<string> {
  const answer = await fetch(`${host.url}/metrics`);
  expect(answer.headers.get('content-type')).toContain('text/plain');
  return answer.text();
}

/** The value of a series; 0 when there is none yet. */
async function valueOf(series: string): Promise<number> {
  const line = (await metrics()).split('\n').find((each) => each.startsWith(`${series} `));
  return line === undefined ? 0 : Number(line.slice(series.length + 1));
}

test('metrics say what processes do and how requests end, and name no tool, session or argument', async () => {
  const caller = new Caller(host.url, host.launches.add({ slug: 'real' }));
  await caller.open();
  await caller.text('echo', { text: 'an-argument' });
  await caller.call('crash');
  await caller.open();
  expect(await valueOf('patchbay_stdio_host_processes{state="ready"}')).toBe(1);
  expect(await valueOf('patchbay_stdio_host_processes_max')).toBe(32);
  expect(await valueOf('patchbay_stdio_host_sessions')).toBe(1);
  expect(await valueOf('patchbay_stdio_host_starts_total{isolation="session"}')).toBe(2);
  expect(await valueOf('patchbay_stdio_host_restarts_total{isolation="session"}')).toBe(1);
  expect(await valueOf('patchbay_stdio_host_crashes_total')).toBe(1);
  const labels = `organisation_id="${ORGANISATION}",server="real"`;
  expect(await valueOf(`patchbay_stdio_host_requests_total{${labels},outcome="ok"}`)).toBe(1);
  expect(await valueOf(`patchbay_stdio_host_requests_total{${labels},outcome="upstream.unreachable"}`)).toBe(1);
  expect(await valueOf(`patchbay_stdio_host_request_duration_seconds_count{${labels},outcome="ok"}`)).toBe(1);
  expect(await valueOf('patchbay_stdio_host_requests_in_flight')).toBe(0);
  const text = await metrics();
  for (const private_ of ['echo', 'an-argument', caller.sessionId ?? '', 'the-secret-of-callers']) expect(text).not.toContain(private_);
});

test('a server that will not start, and one that has to be killed, are counted as that', async () => {
  const failing = new Caller(host.url, host.launches.add({ slug: 'failing', args: [...host.launches.defaultArgs, 'fail'] }));
  await failing.open();
  await failing.open();
  expect(await valueOf('patchbay_stdio_host_start_failures_total{code="stdio.start_failed"}')).toBe(1);
  // Not tried again yet.
  expect(await valueOf('patchbay_stdio_host_start_failures_total{code="upstream.unreachable"}')).toBe(1);
  const stubborn = new Caller(host.url, host.launches.add({ slug: 'stubborn', args: ['-e', STUBBORN] }));
  await stubborn.open();
  expect(await valueOf('patchbay_stdio_host_kills_total')).toBe(0);
  await stubborn.end();
  await until('it was killed', async () => (await valueOf('patchbay_stdio_host_kills_total')) === 1, 8_000);
  expect(await valueOf('patchbay_stdio_host_crashes_total')).toBe(0);
});

test('probes and metrics need no secret, but the listener’s own name', async () => {
  for (const path of ['/livez', '/readyz', '/metrics']) {
    expect((await fetch(`${host.url}${path}`)).status).toBe(200);
    expect(await statusUnder('evil.example', path)).toBe(421);
  }
  expect((await fetch(`${host.url}/status`)).status).toBe(401);
});

function statusUnder(name: string, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request(`${host.url}${path}`, { headers: { host: name } }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    asked.on('error', reject).end();
  });
}

test('a host that stops says so first, ends what is in flight, and takes nothing new', async () => {
  const caller = new Caller(host.url, host.launches.add({ slug: 'real' }));
  await caller.open();
  const slow = caller.call('progress', { steps: 4, ms: 200, text: 'done' }, { id: 'slow', token: 't' });
  await new Promise((resolve) => setTimeout(resolve, 200));
  const stopped = host.stop().then(() => (isStopped = true));
  expect((await fetch(`${host.url}/readyz`)).status).toBe(503);
  expect((await fetch(`${host.url}/livez`)).status).toBe(200);
  const late = await caller.call('echo', { text: 'x' });
  expect([late.status, late.messages[0]?.error?.data?.['code']]).toEqual([404, 'session.gone']);
  const opened = await new Caller(host.url, caller.serverId).open();
  expect(opened.messages[0]?.error?.data?.['code']).toBe('stdio.stopping');
  expect((await slow).messages.at(-1)?.result?.content?.[0]?.text).toBe('done');
  await stopped;
});
