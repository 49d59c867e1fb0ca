import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ENV } from '@patchbay/contracts';
import { afterAll, expect, test } from 'vitest';
import { loadConfig, loadWorkersConfig } from './config.ts';

const folder = mkdtempSync(join(tmpdir(), 'patchbay-gateway-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

const pair = generateKeyPairSync('ed25519', {
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});

let files = 0;
function fileOf(content: string, mode = 0o600): string {
  const path = join(folder, `file-${(files += 1)}`);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}
const key = (): string => fileOf(randomBytes(32).toString('base64url'));

const good = {
  PATCHBAY_HOME: '/data',
  PATCHBAY_GATEWAY_PORT: '9471',
  PATCHBAY_SNAPSHOT_PUBLIC_KEY_FILE: fileOf(pair.publicKey),
  PATCHBAY_SESSION_SEALING_KEY_FILE: key(),
  PATCHBAY_TOKEN_TAG_KEY_FILE: key(),
  PATCHBAY_GATEWAY_SECRET_FILE: key(),
  PATCHBAY_TO_STDIO_HOST_SECRET_FILE: key(),
  PATCHBAY_CONTROL_PLANE_INTERNAL_URL: 'http://127.0.0.1:1,http://127.0.0.1:2',
  PATCHBAY_STDIO_HOST_URL: 'http://127.0.0.1:3',
};
const REDIS = { REDIS_URL: 'redis://:hunter2@127.0.0.1:6379/0' };

test('with Redis no Postgres is needed, and the URL does not stay in the environment', () => {
  const env = { ...good, ...REDIS };
  const { redisUrl, portsDatabaseUrl, controlPlaneInternalUrls, gatewayUrl } = loadConfig(env);
  expect([redisUrl?.reveal(), portsDatabaseUrl]).toEqual([REDIS.REDIS_URL, null]);
  expect(env).not.toHaveProperty('REDIS_URL');
  expect(controlPlaneInternalUrls.map(({ port }) => port)).toEqual(['1', '2']);
  expect(gatewayUrl.href).toBe('http://127.0.0.1:9471/');
});

test('without either store the gateway does not start', () => {
  expect(() => loadConfig(good)).toThrow(/^PATCHBAY_REDIS_URL_FILE or PATCHBAY_PORTS_DATABASE_URL_FILE must be set/);
});

const wrong: [string, string, RegExp][] = [
  ['PATCHBAY_SESSION_SEALING_KEY_FILE', fileOf(randomBytes(16).toString('base64url')), /must hold one 32-byte key/],
  ['PATCHBAY_SESSION_SEALING_KEY_FILE', fileOf(randomBytes(32).toString('base64url'), 0o644), /set its mode to 0600/],
  ['PATCHBAY_TOKEN_TAG_KEY_FILE', join(folder, 'none'), /cannot be read \(ENOENT\)/],
  ['PATCHBAY_SNAPSHOT_PUBLIC_KEY_FILE', fileOf(pair.privateKey), /holds a private key/],
  ['PATCHBAY_GATEWAY_SECRET_FILE', fileOf('\n'), /is empty/],
];

test.each(wrong)('%s names a file that is not usable: refused by both names', (variable, path, why) => {
  const load = (): unknown => loadConfig({ ...good, ...REDIS, [variable]: path });
  expect(load).toThrow(`${variable} is not usable: ${path} `);
  expect(load).toThrow(why);
});

test('workers share the port; each has a folder and an admin port of its own, the first those that are set', () => {
  const env = { [ENV.home]: '/data', [ENV.adminPort]: '9000', [ENV.drainMs]: '1000', [ENV.drainAnnounceMs]: '0' };
  expect(loadWorkersConfig(env)).toBeNull();
  expect(loadWorkersConfig({ ...env, [ENV.gatewayWorkers]: '3' })).toEqual({
    gatewayPort: 8471,
    environments: [
      { [ENV.home]: '/data', [ENV.adminPort]: '9000' },
      { [ENV.home]: '/data/worker-2', [ENV.adminPort]: '9001' },
      { [ENV.home]: '/data/worker-3', [ENV.adminPort]: '9002' },
    ],
    stopDeadlineMs: 4_000,
  });
  expect(() => loadWorkersConfig({ ...env, [ENV.gatewayWorkers]: '0' })).toThrow(ENV.gatewayWorkers);
});
