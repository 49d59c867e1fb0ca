import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import type { EgressOpening } from '@patchbay/contracts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Caller } from './support/caller.ts';
import { startHost, statusOf, type TestHost, until } from './support/harness.ts';

const LOOPBACK: EgressOpening[] = [{ cidr: '127.0.0.0/8', port: null }];

let host: TestHost;
let service: Server;
let ours: Server;
let available = false;
const portOf = (server: Server) => (server.address() as AddressInfo).port;

beforeAll(async () => {
  [service, ours] = (await Promise.all(
    ['a service', 'ours'].map((said) => {
      const server = createServer((request, response) => response.end(`${said}, asked as ${request.headers.host?.split(':')[0]}`));
      return new Promise<Server>((ready) => server.listen(0, '0.0.0.0', () => ready(server)));
    }),
  )) as [Server, Server];
  host = await startHost({ refusedAddresses: [{ host: '127.0.0.1', port: portOf(ours) }] });
  available = (await statusOf(host.url)).isolation.available;
});
afterAll(async () => {
  await host.stop();
  for (const server of [service, ours]) server.close();
});

async function opened(targets: string[], openings = LOOPBACK): Promise<Caller> {
  const caller = new Caller(host.url, host.launches.add({ slug: 'reaching', egress: { targets, openings } }));
  const answer = await caller.open();
  expect(answer.messages[0]?.result).toBeDefined();
  return caller;
}

/** What a plain HTTP client in the server gets at a URL, or its error's code. */
const get = (caller: Caller, url: string) =>
  caller.text('attack', {
    code: `
      const { get } = require('http');
      return new Promise((resolve) => {
        const asked = get(${JSON.stringify(url)}, (response) => response.setEncoding('utf8').on('data', resolve));
        asked.on('error', ({ code }) => resolve(code));
        asked.setTimeout(5000, () => asked.destroy(new Error('silence')));
      });
    `,
  });

test('what a registration names is reached as a program would write it: by name, by loopback and by address', async ({ skip }) => {
  if (!available) skip();
  const port = portOf(service);
  const own = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
  const address = own.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '127.0.0.1';
  const names = new Set(['localhost', '127.0.0.1', address]);
  const caller = await opened(
    [...names].map((name) => `${name}:${port}`),
    [...LOOPBACK, { cidr: `${address}/32`, port }],
  );
  for (const name of names) expect(await get(caller, `http://${name}:${port}/`)).toBe(`a service, asked as ${name}`);
  // Many at once, and large both ways.
  const code = `
    const { connect } = require('net');
    const one = () => new Promise((resolve) => {
      let got = '';
      const socket = connect(${port}, 'localhost', () => socket.write('GET / HTTP/1.0\\r\\nhost: localhost\\r\\nx-padding: ' + 'x'.repeat(8000) + '\\r\\n\\r\\n'));
      socket.on('data', (chunk) => (got += chunk)).on('close', () => resolve(got.endsWith('localhost')));
    });
    return String((await Promise.all(Array.from({ length: 50 }, one))).every(Boolean));
  `;
  expect(await caller.text('attack', { code })).toBe('true');
  await caller.end();
});

test('nothing else is: another port or name, what no operator opened, our own listeners, and what is asked of the way out itself', async ({
  skip,
}) => {
  if (!available) skip();
  const port = portOf(service);
  const caller = await opened([`localhost:${port}`, `127.0.0.1:${portOf(ours)}`, '169.254.169.254:80']);
  expect(await get(caller, `http://localhost:${port}/`)).toContain('a service');
  expect(await get(caller, `http://localhost:${host.host.port}/livez`)).toBe('ECONNREFUSED');
  for (const refused of [`127.0.0.1:${portOf(ours)}`, '169.254.169.254'])
    expect(await get(caller, `http://${refused}/`)).toMatch(/^(ECONNRESET|EPIPE)$/);
  // Past the relay, straight to the socket that it uses.
  const code = `
    const { connect } = require('net');
    const { readdirSync } = require('fs');
    const directory = readdirSync('/tmp').find((name) => name.startsWith('patchbay-egress'));
    const ask = (target) => new Promise((resolve) => {
      let got = '';
      const socket = connect('/tmp/' + directory + '/s', () => socket.write(target + '\\nGET /livez HTTP/1.0\\r\\n\\r\\n'));
      socket.on('data', (chunk) => (got += chunk)).on('error', () => undefined).on('close', () => resolve(got));
    });
    return JSON.stringify(await Promise.all(${JSON.stringify([`127.0.0.1:${host.host.port}`, 'localhost', `localhost:${port}x`, 'x'.repeat(400)])}.map(ask)));
  `;
  expect(JSON.parse(await caller.text('attack', { code }))).toEqual(['', '', '', '']);
  const { processes } = await statusOf(host.url);
  const said = processes.find(({ serverId }) => serverId === caller.serverId)?.stderrTail.join('\n') ?? '';
  expect(said).toContain(`127.0.0.1:${host.host.port}, which its registration does not name`);
  expect(said).toContain(`a connection to 127.0.0.1:${portOf(ours)}: This address may not be reached from here.`);
  await caller.end();
  const closed = await opened([`localhost:${port}`], []);
  expect(await get(closed, `http://localhost:${port}/`)).toMatch(/^(ECONNRESET|EPIPE)$/);
  await closed.end();
});

test('a way out is shown to its own server alone, wherever our TMPDIR is', async ({ skip }) => {
  if (!available) skip();
  const scratch = join(import.meta.dirname, '../node_modules/.scratch');
  mkdirSync(scratch, { recursive: true });
  const elsewhere = mkdtempSync(join(scratch, 'tmp-'));
  const before = process.env['TMPDIR'];
  process.env['TMPDIR'] = elsewhere;
  try {
    const reaching = await opened([`localhost:${portOf(service)}`]);
    const other = await opened([]);
    const seenBy = (caller: Caller): Promise<string> =>
      caller.text('attack', {
        code: `const { readdirSync } = require('fs'); return ['/tmp', ${JSON.stringify(elsewhere)}].flatMap((at) => readdirSync(at)).join();`,
      });
    expect(await seenBy(reaching)).toContain('patchbay-egress-');
    expect(await seenBy(other)).not.toContain('patchbay-egress-');
    await Promise.all([reaching.end(), other.end()]);
  } finally {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
    rmSync(elsewhere, { recursive: true, force: true });
  }
});

test('the relay is not in the way: exit codes and crashes are the server’s own, and its way out goes with it', async ({ skip }) => {
  if (!available) skip();
  const caller = await opened([`localhost:${portOf(service)}`]);
  const { messages } = await caller.call('crash');
  expect(messages[0]?.error).toMatchObject({ code: -31502, message: expect.stringContaining('code 7') });
  const lost = new Caller(
    host.url,
    host.launches.add({ slug: 'lost', args: ['/no/such/file.mjs'], egress: { targets: ['localhost:1'], openings: [] } }),
  );
  expect((await lost.open()).messages[0]?.error?.code).toBe(-31511);
  await until('no way out is left', () => readdirSync('/tmp').every((name) => !name.startsWith(`patchbay-egress-${process.pid}-`)));
});
