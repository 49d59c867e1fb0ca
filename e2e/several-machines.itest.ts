import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { promisify } from 'node:util';
import { ENV, FirstStartResult, KEY_FILES, PROGRAM_KEYS } from '@patchbay/contracts';
import { makeAuthority, testPostgres, type TestPostgres } from '@patchbay/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Api } from './support/api.ts';
import { connect, REVISIONS, textOf } from './support/clients.ts';
import { reservePort } from './support/ports.ts';
import { until } from './support/until.ts';

const ROOT = join(import.meta.dirname, '..');
/** A stdio server with one tool, `echo`; nothing of an SDK, so that it starts fast. */
const STDIO_SERVER = `
  const results = {
    initialize: () => ({ protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'echoing', version: '1' } }),
    'tools/list': () => ({ tools: [{ name: 'echo', inputSchema: { type: 'object' } }] }),
    'tools/call': ({ arguments: { text } }) => ({ content: [{ type: 'text', text }] }),
  };
  require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
    const { id, method, params } = JSON.parse(line);
    if (id !== undefined) console.log(JSON.stringify({ jsonrpc: '2.0', id, result: results[method]?.(params) ?? {} }));
  });
`;
const SCRAPE = 'the-token-of-metrics';

type Environment = Record<string, string>;
const isDefined = <T>(value: T | undefined): value is T => value !== undefined;

/** Of this machine, as others know it; where it has no network, the listeners are on all addresses and loopback has to do. */
const address =
  Object.values(networkInterfaces())
    .flat()
    .filter(isDefined)
    .find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '127.0.0.1';

const home = mkdtempSync(join(tmpdir(), 'patchbay-machines-'));
const keys = join(home, 'keys');
const authority = makeAuthority();
const children: ChildProcess[] = [];
let postgres: TestPostgres;
let ports: Record<'api' | 'internal' | 'gateway' | 'admin' | 'stdioHost', number>;
let environments: Record<'controlPlane' | 'gateway' | 'stdioHost', Environment>;
let first: FirstStartResult;

const at = (port: number): string => `https://${address}:${port}`;

function file(name: string, text: string): string {
  const path = join(keys, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

/** A certificate of its own for each program. */
function tls(program: string): Environment {
  const { cert, key } = authority.issue({ names: [address] });
  return { [ENV.tlsCertFile]: file(`${program}.crt`, cert), [ENV.tlsKeyFile]: file(`${program}.key`, key) };
}

function environment(program: keyof typeof PROGRAM_KEYS, more: Environment): Environment {
  const folder = join(home, program);
  mkdirSync(folder, { recursive: true });
  return {
    PATH: process.env['PATH'] ?? '',
    [ENV.home]: folder,
    [ENV.exitWithParent]: '1',
    [ENV.drainMs]: '0',
    [ENV.drainAnnounceMs]: '0',
    [ENV.internalCaFile]: join(keys, 'ca.crt'),
    [ENV.metricsTokenFile]: join(keys, 'metrics.token'),
    [ENV.controlPlaneInternalUrl]: at(ports.internal),
    [ENV.stdioHostUrl]: at(ports.stdioHost),
    [ENV.apiUrl]: at(ports.api),
    [ENV.gatewayUrl]: at(ports.gateway),
    ...tls(program),
    ...Object.fromEntries(Object.entries(PROGRAM_KEYS[program]).map(([variable, name]) => [variable, join(keys, name)])),
    ...more,
  };
}

async function runOnce(script: string, env: Environment, ...args: string[]): Promise<string> {
  const { [ENV.exitWithParent]: _with, ...rest } = env;
  const { stdout } = await promisify(execFile)(process.execPath, [join(ROOT, 'apps', script), ...args], { env: rest });
  return stdout;
}

function start(script: string, env: Environment) {
  const child = spawn(process.execPath, [join(ROOT, 'apps', script)], { env, stdio: ['pipe', 'pipe', 'pipe'] });
  const said = { text: '' };
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said.text += chunk.toString()));
  children.push(child);
  return { child, said };
}

/** The status of a GET, over TLS to loopback: from there it comes by the only listed proxy. */
function statusByProxy(headers: Environment): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const sent = request({
      host: '127.0.0.1',
      servername: '',
      port: ports.gateway,
      path: '/default/mcp',
      headers,
      checkServerIdentity: () => undefined,
    });
    sent
      .on('response', (response) => resolve(response.resume().statusCode))
      .on('error', reject)
      .end();
  });
}

beforeAll(async () => {
  setDefaultCACertificates([...getCACertificates('default'), authority.cert]);
  postgres = await testPostgres();
  const [api, internal, gateway, admin, stdioHost] = await Promise.all(Array.from({ length: 5 }, () => reservePort()));
  ports = { api: api ?? 0, internal: internal ?? 0, gateway: gateway ?? 0, admin: admin ?? 0, stdioHost: stdioHost ?? 0 };
  await runOnce('cli/dist/make-keys-main.js', { PATCHBAY_ADMIN_DATABASE_URL: postgres.superuserUrl('postgres') }, keys);
  file('ca.crt', authority.cert);
  file('metrics.token', SCRAPE);
  environments = {
    controlPlane: environment('controlPlane', {
      [ENV.databaseUrlFile]: join(keys, KEY_FILES.databaseUrl),
      [ENV.apiPort]: String(ports.api),
      [ENV.internalPort]: String(ports.internal),
      [ENV.listen]: '0.0.0.0',
      [ENV.internalListen]: '0.0.0.0',
    }),
    gateway: environment('gateway', {
      [ENV.portsDatabaseUrlFile]: join(keys, KEY_FILES.portsDatabaseUrl),
      [ENV.gatewayPort]: String(ports.gateway),
      [ENV.adminPort]: String(ports.admin),
      [ENV.listen]: '0.0.0.0',
      [ENV.adminListen]: '0.0.0.0',
      [ENV.trustedProxies]: '127.0.0.1/32',
    }),
    stdioHost: environment('stdioHost', { [ENV.stdioHostPort]: String(ports.stdioHost), [ENV.internalListen]: '0.0.0.0' }),
  };
  await runOnce('control-plane/dist/migrate.js', { [ENV.ownerDatabaseUrlFile]: join(keys, KEY_FILES.ownerDatabaseUrl) });
  const made = await runOnce('control-plane/dist/first-start.js', environments.controlPlane);
  first = FirstStartResult.parse(JSON.parse(made));
  start('control-plane/dist/main.js', environments.controlPlane);
  start('stdio-host/dist/main.js', environments.stdioHost);
  start('gateway/dist/main.js', environments.gateway);
  const ready = (port: number): Promise<boolean> =>
    fetch(`${at(port)}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    );
  for (const port of [ports.internal, ports.stdioHost, ports.admin])
    await until(() => ready(port), { what: `port ${port}`, timeoutMs: 30_000 });
}, 90_000);

afterAll(async () => {
  await Promise.all(children.filter(({ exitCode }) => exitCode === null).map((child) => (child.kill('SIGKILL'), once(child, 'exit'))));
  await postgres.stop();
  rmSync(home, { recursive: true, force: true });
});

test('official clients call a stdio server over TLS, and every program reaches the others over TLS', async () => {
  const api = new Api(at(ports.api), first.org, first.apiToken);
  await api.expect(201, 'POST', '/servers', {
    kind: 'stdio',
    slug: 'notes',
    command: 'node',
    args: ['-e', STDIO_SERVER],
    isolation: 'shared',
  });
  await api.grantAll('notes');
  await api.discovered('notes');
  for (const how of REVISIONS) {
    const client = await connect(how, `${at(ports.gateway)}/${first.org}/notes/mcp`, first.token);
    const call = { name: 'echo', arguments: { text: how } };
    const answer = await until(() => client.callTool(call).catch(() => null), { what: 'the server at the gateway' });
    expect(textOf(answer)).toBe(how);
    await client.close();
  }
});

test('nobody is answered without TLS, and metrics ask for their token', async () => {
  for (const port of Object.values(ports)) await expect(fetch(`http://${address}:${port}/livez`)).rejects.toThrow();
  for (const port of [ports.internal, ports.stdioHost, ports.admin]) {
    const scraped = async (headers: Environment): Promise<number> => (await fetch(`${at(port)}/metrics`, { headers })).status;
    expect([await scraped({}), await scraped({ authorization: 'Bearer guessed' })]).toEqual([401, 401]);
    expect(await scraped({ authorization: `Bearer ${SCRAPE}` })).toBe(200);
  }
});

test('a page of an origin that the organisation lists may use its endpoints over any transport, and no other page', async () => {
  const [listed, unlisted] = ['https://app.example.com', 'https://evil.example'];
  const api = new Api(at(ports.api), first.org, first.apiToken);
  expect((await api.expect(200, 'PATCH', '/endpoint', { allowedOrigins: [listed] }))['allowedOrigins']).toEqual([listed]);
  for (const wrong of ['*', 'null', `${listed}/`, 'https://APP.example.com', 'https://*.example.com', 'ftp://app.example.com'])
    await api.expect(400, 'PATCH', '/endpoint', { allowedOrigins: [wrong] });
  const authorization = `Bearer ${first.token}`;
  const from = (
    origin: string,
    path: string,
    { headers = {}, ...init }: Omit<RequestInit, 'headers'> & { headers?: Environment } = {},
  ): Promise<Response> => fetch(`${at(ports.gateway)}/${first.org}/${path}`, { ...init, headers: { ...headers, origin } });
  const tells = (response: Response): (string | number | null)[] => [response.status, response.headers.get('access-control-allow-origin')];
  const ping = {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: '{"jsonrpc":"2.0","id":1,"method":"ping"}',
  };
  await until(async () => (await from(listed, 'mcp', ping)).ok, { what: 'the change at the gateway' });
  expect(tells(await from(listed, 'mcp', ping))).toEqual([200, listed]);
  expect(tells(await from(unlisted, 'mcp', ping))).toEqual([403, null]);
  // Before it has a token, a page has to read how to get one.
  expect(tells(await from(listed, 'mcp', { method: 'POST' }))).toEqual([401, listed]);
  const preflight = {
    method: 'OPTIONS',
    headers: { 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' },
  };
  for (const path of ['mcp', 'messages', 'ws']) expect(tells(await from(listed, path, preflight))).toEqual([204, listed]);
  expect(tells(await from(unlisted, 'mcp', preflight))).toEqual([403, null]);
  const stream = await from(listed, 'sse', { headers: { authorization, accept: 'text/event-stream' } });
  expect(tells(stream)).toEqual([200, listed]);
  await stream.body?.cancel();
  expect(tells(await from(listed, 'ws', { method: 'POST', headers: { authorization } }))).toEqual([200, listed]);
  expect(tells(await from(unlisted, 'ws', { method: 'POST', headers: { authorization } }))).toEqual([403, null]);
});

test('what a listed proxy forwards is believed, and the same from anybody else is not looked at', async () => {
  const host = `${address}:${ports.gateway}`;
  expect(await statusByProxy({ host })).toBe(401);
  expect(await statusByProxy({ host: 'upstream-1', 'x-forwarded-host': host })).toBe(401);
  expect(await statusByProxy({ host, 'x-forwarded-host': 'evil.example' })).toBe(421);
  expect(await statusByProxy({ host, 'x-forwarded-proto': 'http' })).toBe(403);
  const direct = (headers: Environment): Promise<number> =>
    fetch(`${at(ports.gateway)}/default/mcp`, { headers }).then(({ status }) => status);
  const isListed = address === '127.0.0.1';
  expect(await direct({ 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'http' })).toBe(isListed ? 403 : 401);
});

test.each(['gateway', 'stdioHost'] as const)(
  'a program that does not know the authority of a control plane does not start, and says why (%s)',
  async (program) => {
    const scripts = { gateway: 'gateway/dist/main.js', stdioHost: 'stdio-host/dist/main.js' };
    const { child, said } = start(scripts[program], {
      ...environments[program],
      [ENV.internalCaFile]: file('other.crt', makeAuthority().cert),
    });
    const [code] = await once(child, 'exit');
    expect([code, said.text]).toEqual([
      78,
      expect.stringContaining(`PATCHBAY_INTERNAL_CA_FILE does not vouch for the control plane at ${at(ports.internal)}`),
    ]);
  },
);
