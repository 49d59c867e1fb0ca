import { type ChildProcess, spawn } from 'node:child_process';
import { createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { ControlPlaneVersion, ENV, INTERNAL_PATHS, KEY_FILES, PROTOCOL, PROTOCOL_HEADER, VERSION } from '@patchbay/contracts';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { Installation, until } from './support/installation.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const NODE = join(ROOT, 'node_modules/.bin/node');
const PROBE_PORT = { gateway: ENV.adminPort, 'stdio-host': ENV.stdioHostPort } as const;
type ProgramName = keyof typeof PROBE_PORT;

let installation: Installation;
const children: ChildProcess[] = [];
const servers: Server[] = [];
beforeAll(async () => {
  installation = await Installation.start();
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const server of servers.splice(0)) server.close();
});
afterAll(() => installation.stop());

/** A new file beside the installation's own keys. */
function file(name: string, content: string): string {
  const path = join(installation.home, 'keys', name);
  writeFileSync(path, content, { mode: 0o600 });
  return path;
}

const random = (): string => randomBytes(32).toString('base64url');

/** The public half of the key that the installation signs with. */
function publicPem(): string {
  const signing = readFileSync(join(installation.home, 'keys', KEY_FILES.snapshotSigning));
  return createPublicKey(signing).export({ type: 'spki', format: 'pem' }).toString();
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

/** A program as it is shipped, with the installation's keys. Its stores are away: nothing here needs them. */
async function run(program: ProgramName, more: Record<string, string> = {}) {
  const env: Record<string, string> = {
    ...installation.env,
    [ENV.home]: join(installation.home, program),
    [ENV.gatewayPort]: String(await freePort()),
    [ENV.adminPort]: String(await freePort()),
    [ENV.stdioHostPort]: String(await freePort()),
    [ENV.portsDatabaseUrl]: 'postgres://patchbay_ports:ports@127.0.0.1:9/none',
    [ENV.snapshotPublicKeyFile]: file('public.pem', publicPem()),
    [ENV.sessionSealingKeyFile]: file('sealing.key', random()),
    [ENV.controlPlaneInternalUrl]: `http://127.0.0.1:${installation.internalPort}`,
    ...more,
  };
  const child = spawn(NODE, [join(ROOT, 'apps', program, 'dist/main.js')], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  children.push(child);
  const said = { err: '' };
  child.stderr.on('data', (chunk: Buffer) => (said.err += chunk.toString()));
  const live = (): Promise<boolean> =>
    fetch(`http://127.0.0.1:${env[PROBE_PORT[program]]}/livez`).then(
      ({ ok }) => ok,
      () => false,
    );
  return { live, ended: once(child, 'close').then(([code]) => ({ code: code as number | null, err: said.err })) };
}

/** A control plane that answers the question for its version like this. */
async function pretending(status: number, said: object): Promise<string> {
  const server = createServer(({ url }, response) => {
    const isVersion = url === INTERNAL_PATHS.version;
    response.writeHead(isVersion ? status : 404, { 'content-type': 'application/json' }).end(JSON.stringify(isVersion ? said : {}));
  }).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('a control plane says its version and the ids of its keys to our own programs alone, and its protocol with every answer', async () => {
  for (const as of ['gatewaySecret', 'stdioHostSecret']) {
    const { status, body, headers } = await installation.internal(INTERNAL_PATHS.version, { as });
    expect([status, headers.get(PROTOCOL_HEADER)]).toEqual([200, '1-1']);
    expect(ControlPlaneVersion.parse(body)).toMatchObject({ protocol: PROTOCOL, version: VERSION });
  }
  const refused = await installation.internal(INTERNAL_PATHS.version, { as: 'toStdioHostSecret' });
  expect([refused.status, refused.headers.get(PROTOCOL_HEADER)]).toEqual([401, '1-1']);
});

test('programs with the keys of their control plane start, beside a control plane of an older version too', async () => {
  const older = await pretending(404, {});
  const urls = `http://127.0.0.1:${installation.internalPort},${older},http://127.0.0.1:9`;
  for (const name of ['gateway', 'stdio-host'] as const) {
    const program = await run(name, { [ENV.controlPlaneInternalUrl]: urls });
    await until(program.live, `the ${name} to be live`);
  }
});

test('a gateway with another public key, tag key or secret ends with 78 and says which file differs', async () => {
  const other = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const wrong = {
    [ENV.snapshotPublicKeyFile]: [file('other.pem', other), 'signs with'],
    [ENV.tokenTagKeyFile]: [file('other-tag.key', random()), 'marks tokens'],
    [ENV.gatewaySecretFile]: [file('other.secret', random()), 'expects'],
  } as const;
  for (const [variable, [path, what]] of Object.entries(wrong)) {
    const { code, err } = await (await run('gateway', { [variable]: path })).ended;
    expect(code).toBe(78);
    expect(err).toMatch(
      new RegExp(`^gateway cannot start: ${variable} does not hold .*at http://127\\.0\\.0\\.1:${installation.internalPort} ${what}.*\n$`),
    );
  }
});

test('a gateway that has both public keys while one is being replaced starts', async () => {
  const other = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const program = await run('gateway', { [ENV.snapshotPublicKeyFile]: file('both.pem', other + publicPem()) });
  await until(program.live, 'the gateway to be live');
});

test('a control plane that speaks only protocols of a far later version makes both programs refuse to start', async () => {
  const later = await pretending(200, { protocol: { oldest: 9, newest: 10 }, version: '9.0.0' });
  for (const name of ['gateway', 'stdio-host'] as const) {
    const { code, err } = await (await run(name, { [ENV.controlPlaneInternalUrl]: later })).ended;
    expect([code, err]).toEqual([
      78,
      expect.stringContaining(`${ENV.controlPlaneInternalUrl} names a control plane of an incompatible version`),
    ]);
    expect(err).toContain('9.0.0 at ' + later + ' speaks protocol 9 to 10, this program speaks 1');
    expect(err.trimEnd().split('\n')).toHaveLength(1);
  }
});
