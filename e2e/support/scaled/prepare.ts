import { execFile } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ENV, FirstStartResult, KEY_BYTES, KEY_FILES } from '@patchbay/contracts';
import { ensureRoles, ROLES } from '@patchbay/ports';
import { Client } from 'pg';
import { environmentOf, migrateEnvironment, storeUrlFile, type Environment } from './environment.ts';
import { CONTROL_PLANES, GATEWAYS, type Layout, portFor, writeSecret } from './layout.ts';
import { ROOT } from './program.ts';

const DATABASE = 'patchbay';
const EXAMPLES = join(ROOT, 'apps/cli/node_modules/@modelcontextprotocol');

/** Every key and secret of docs/architecture/trust-boundaries.md, as files that a deployment would mount. */
export function makeKeys(layout: Layout): void {
  const secret = (): string => randomBytes(KEY_BYTES).toString('base64url');
  for (const name of ['master', 'tokenTag', 'sessionSealing', 'gatewaySecret', 'stdioHostSecret', 'toStdioHostSecret'] as const)
    writeSecret(layout, KEY_FILES[name], secret());
  const pair = generateKeyPairSync('ed25519', {
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  writeSecret(layout, KEY_FILES.snapshotPublic, pair.publicKey.trim());
  writeSecret(layout, KEY_FILES.snapshotSigning, pair.privateKey.trim());
}

/** Roles, database and schema; each control plane's URL leads through its own link. */
export async function prepareDatabase(layout: Layout, superuserUrl: (database: string) => string): Promise<void> {
  const password = (): string => randomBytes(18).toString('base64url');
  const passwords = { ownerPassword: password(), appPassword: password(), portsPassword: password() };
  const client = new Client({ connectionString: superuserUrl('postgres') });
  await client.connect();
  try {
    await ensureRoles(client, passwords);
    await client.query(`create database ${DATABASE} owner ${ROLES.owner}`);
  } finally {
    await client.end();
  }
  const url = (role: string, secret: string, port: number): string => `postgres://${role}:${secret}@127.0.0.1:${port}/${DATABASE}`;
  writeSecret(layout, KEY_FILES.ownerDatabaseUrl, url(ROLES.owner, passwords.ownerPassword, layout.ports.postgres));
  for (const name of CONTROL_PLANES)
    writeSecret(layout, storeUrlFile(name, 'postgres'), url(ROLES.app, passwords.appPassword, portFor(layout, name, 'postgres')));
  await runOnce('apps/control-plane/dist/migrate.js', migrateEnvironment(layout));
}

/** Where each program finds Redis: through its own link. */
export function writeRedisUrls(layout: Layout, password: string): void {
  for (const name of [...CONTROL_PLANES, ...GATEWAYS])
    writeSecret(layout, storeUrlFile(name, 'redis'), `redis://:${password}@127.0.0.1:${portFor(layout, name, 'redis')}/0`);
}

/** The first organisation, its admin, tokens and example servers. */
export async function firstStart(layout: Layout, env: Environment): Promise<FirstStartResult> {
  const output = await runOnce('apps/control-plane/dist/first-start.js', {
    ...environmentOf(layout, CONTROL_PLANES[0]),
    ...env,
    [ENV.exampleEverything]: join(EXAMPLES, 'server-everything/dist/index.js'),
    [ENV.exampleMemory]: join(EXAMPLES, 'server-memory/dist/index.js'),
  });
  return FirstStartResult.parse(JSON.parse(output.trim().split('\n').at(-1) ?? ''));
}

async function runOnce(script: string, env: Environment): Promise<string> {
  // A program that ends with its parent's stdin must not find it closed.
  const { [ENV.exitWithParent]: _with, ...rest } = env;
  const { stdout } = await promisify(execFile)(process.execPath, ['--disable-sigusr1', join(ROOT, script)], { cwd: ROOT, env: rest });
  return stdout;
}
