import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { OrganisationId, PartHash, Revision, TokenHash } from '@patchbay/contracts';
import { testRedisServer, type TestRedisServer } from '@patchbay/testkit';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { freshId } from '../src/contract/make.ts';
import { checkRedis, createRedisPorts, type Ports } from '../src/index.ts';
import { describePorts } from './support/describe-ports.ts';
import { redisThatSays } from './support/redis-that-says.ts';
import { adminOf, cutListenersOf } from './support/redis.ts';

const USERS_FILE = resolve(import.meta.dirname, '../../../deploy/redis/users.acl');
const USERS = readFileSync(USERS_FILE, 'utf8').trim().split('\n');
/** Tests need the way in that a deployment closes. */
const TESTER = 'user tester on >secret ~* &* +@all';
const DENIED = /^NOPERM|ACL failure|user executing the script can't/;
const HASH = 'a'.repeat(64);

let server: TestRedisServer;
let admin: Redis;
let writer: Ports;
let reader: Ports;

function urlAs(user: string, at = server): string {
  return `redis://${user}:secret@127.0.0.1:${at.port}/0`;
}

/** A server that loads its users from a file: by itself, when it starts. */
async function serverWithUsers(lines: readonly string[] | 'the file as it is'): Promise<TestRedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'patchbay-test-users-'));
  const aclFile = join(folder, 'users.acl');
  if (lines === 'the file as it is') copyFileSync(USERS_FILE, aclFile);
  else writeFileSync(aclFile, `${lines.join('\n')}\n`);
  const started = await testRedisServer({ settings: { aclfile: [aclFile] } });
  rmSync(folder, { recursive: true });
  return started;
}

/** deploy/redis/users.acl with the passwords that it lacks, as a deployment adds them. */
function usersWithPasswords(): string[] {
  return [...USERS.map((line) => (line.startsWith('user default ') ? line : `${line} >secret`)), TESTER];
}

beforeAll(async () => {
  server = await serverWithUsers(usersWithPasswords());
  admin = adminOf(urlAs('tester'));
  writer = createRedisPorts({ url: urlAs('patchbay-control-plane') });
  reader = createRedisPorts({ url: urlAs('patchbay-gateway') });
});

afterAll(async () => {
  await Promise.all([writer?.close(), reader?.close()]);
  admin?.disconnect();
  await server?.stop();
  process.stdout.write('port contracts ran on: Redis with the recommended users\n');
});

describePorts('Redis with the recommended users', {
  writer: () => writer,
  reader: () => reader,
  cutListeners: () => cutListenersOf(admin),
});

describe('the recommended users', () => {
  test('are a file that redis-server loads at its start, and nobody enters without a password of theirs', async () => {
    const own = await serverWithUsers('the file as it is');
    onTestFinished(() => own.stop());
    for (const login of ['', ':@', ':secret@', 'patchbay-control-plane:@', 'patchbay-gateway:secret@'])
      await expect(checkRedis(`redis://${login}127.0.0.1:${own.port}/0`, 'gateway'), login).rejects.toThrow(/does not accept the user/);
    const users = (await admin.call('ACL', 'LIST')) as string[];
    const names = users.map((line) => line.split(' ')[1]);
    expect(names.filter((name) => !name?.startsWith('weak-')).sort()).toEqual([
      'default',
      'patchbay-control-plane',
      'patchbay-gateway',
      'tester',
    ]);
    expect(USERS.every((line) => line.includes(' resetpass') && !/[>#<]/.test(line))).toBe(true);
  });

  test('the gateway cannot write manifests, parts or the directory', async () => {
    const organisation = freshId<OrganisationId>();
    const [hash, tokenHash] = [HASH as PartHash, HASH as TokenHash];
    const denied = DENIED;
    await expect(reader.parts.putParts(organisation, [{ hash, bytes: Buffer.from('x') }])).rejects.toThrow(denied);
    await expect(reader.parts.putManifest(organisation, { epoch: 1, revision: 1 as Revision }, 'forged')).rejects.toThrow(denied);
    await expect(reader.parts.collectGarbage(organisation, [], 0)).rejects.toThrow(denied);
    await expect(reader.directory.putTokens(organisation, 1 as Revision, [{ tokenHash, jws: 'forged' }])).rejects.toThrow(denied);
    await expect(reader.directory.putTokens(organisation, 1 as Revision, [])).rejects.toThrow(denied);
    await expect(reader.directory.putOrganisation('forged', 'forged')).rejects.toThrow(denied);
    expect(await admin.keys(`*${organisation}*`)).toEqual([]);
  });

  test('the gateway reaches no job, lists nothing, changes no server and becomes nobody else', async () => {
    const gateway = adminOf(urlAs('patchbay-gateway'));
    onTestFinished(() => gateway.disconnect());
    await admin.set('patchbay:{o}:manifest', 'here');
    const attempts = [
      ['SET', 'patchbay:{o}:manifest', 'forged'],
      ['SET', 'patchbay:{o}:part:x', 'forged'],
      ['UNLINK', 'patchbay:{o}:manifest'],
      ['DEL', 'patchbay:{o}:shared:x'],
      ['RENAME', 'patchbay:{o}:shared:x', 'patchbay:{o}:manifest'],
      ['COPY', 'patchbay:{o}:shared:x', 'patchbay:{o}:manifest'],
      ['EVAL', "return redis.call('SET', 'patchbay:{o}:manifest', 'forged')", '0'],
      ['EVAL', "return redis.call('SET', KEYS[1], 'forged')", '1', 'patchbay:{o}:manifest'],
      ['HSET', '{patchbay}:patchbay:meta', 'a', 'b'],
      ['GET', '{patchbay}:patchbay:meta'],
      ['GET', 'another'],
      ['PUBLISH', 'another', 'x'],
      ['SUBSCRIBE', 'another'],
      ...['KEYS *', 'SCAN 0', 'FLUSHALL', 'FLUSHDB', 'SHUTDOWN', 'REPLICAOF NO ONE', 'MONITOR'].map((text) => text.split(' ')),
      ...['CONFIG GET *', 'ACL LIST', 'ACL SETUSER x on', 'CLIENT KILL TYPE normal', 'SCRIPT FLUSH', 'FUNCTION LIST'].map((text) =>
        text.split(' '),
      ),
    ];
    for (const [command = '', ...args] of attempts)
      await expect(gateway.call(command, ...args), [command, ...args].join(' ')).rejects.toThrow(DENIED);
    expect(await admin.get('patchbay:{o}:manifest')).toBe('here');
  });

  test('the control plane changes no server, makes no user and touches no key outside', async () => {
    const controlPlane = adminOf(urlAs('patchbay-control-plane'));
    onTestFinished(() => controlPlane.disconnect());
    const attempts = [
      'FLUSHALL',
      'KEYS *',
      'CONFIG SET save x',
      'ACL LIST',
      'SHUTDOWN',
      'SET another x',
      'GET another',
      'PUBLISH another x',
    ];
    for (const attempt of attempts) {
      const [command = '', ...args] = attempt.split(' ');
      await expect(controlPlane.call(command, ...args), attempt).rejects.toThrow(/NOPERM/);
    }
  });
});

describe('the check at start', () => {
  test('finds a Redis with the recommended users fit, and leaves nothing behind', async () => {
    const own = await serverWithUsers(usersWithPasswords());
    onTestFinished(() => own.stop());
    const client = adminOf(urlAs('tester', own));
    onTestFinished(() => client.disconnect());
    expect(await checkRedis(urlAs('patchbay-gateway', own), 'gateway')).toBe('fit');
    expect(await checkRedis(urlAs('patchbay-control-plane', own), 'control plane')).toBe('fit');
    await expect.poll(() => client.keys('*'), { timeout: 3_000 }).toEqual([]);
  });

  test.each([
    ['-publish', 'gateway', /gateway: PUBLISH on the channels patchbay:bus:\*/],
    ['-subscribe', 'gateway', /gateway: SUBSCRIBE/],
    ['resetchannels', 'gateway', /gateway: PUBLISH/],
    ['-info', 'gateway', /gateway: INFO/],
    ['-hincrby', 'gateway', /HINCRBY.*on patchbay:\{\*\}:slices:\*/],
    ['-evalsha_ro', 'gateway', /EVALSHA_RO.*on patchbay:\{\*\}:directory/],
    ['-set', 'gateway', /GET, SET.*on patchbay:\{\*\}:shared:\*/],
    ['resetkeys', 'gateway', /manifest/],
    ['-zadd', 'control plane', /control plane: .*ZADD.*on patchbay:\{\*\}:parts/],
    ['-pexpireat', 'control plane', /PEXPIREAT.*on patchbay:\{\*\}:directory/],
  ] as const)('refuses a user with %s as the %s, naming commands and keys', async (rule, user, sentence) => {
    const name = `weak-${user.replace(' ', '-')}`;
    const [, , ...rules] = USERS.find((line) => line.includes(`patchbay-${user.replace(' ', '-')}`))?.split(' ') ?? [];
    await admin.call('ACL', 'SETUSER', name, 'reset', ...rules, '>secret', rule);
    await expect(checkRedis(urlAs(name), user)).rejects.toThrow(sentence);
  });

  test('refuses a control plane that comes as the gateway, or that may not reach the jobs', async () => {
    await expect(checkRedis(urlAs('patchbay-gateway'), 'control plane')).rejects.toThrow(/lacks a right of the control plane/);
    await admin.call('ACL', 'SETUSER', 'no-jobs', 'on', '>secret', '~patchbay:*', '&*', '+@all');
    await expect(checkRedis(urlAs('no-jobs'), 'control plane')).rejects.toThrow(/BullMQ does on \{patchbay\}:\*/);
  });

  test('refuses a wrong password without repeating it', async () => {
    const wrong = checkRedis(`redis://:hunter2@127.0.0.1:${server.port}/0`, 'gateway');
    await expect(wrong).rejects.toThrow(/does not accept the user and password/);
    await expect(wrong).rejects.not.toThrow(/hunter2/);
    await expect(checkRedis(`redis://127.0.0.1:${server.port}/0`, 'gateway')).rejects.toThrow(/does not accept/);
  });

  test.each(['6.2.14', '5.0.7'])('refuses Redis %s, saying which it needs', async (version) => {
    const old = await redisThatSays(version);
    onTestFinished(() => old.close());
    const checked = checkRedis(`redis://127.0.0.1:${old.port}/0`, 'gateway');
    await expect(checked).rejects.toThrow(`This Redis is version ${version}: Patchbay needs 7 or newer. Upgrade it or name another one.`);
  });

  test('takes the same server for no older one when it says 7', async () => {
    const young = await redisThatSays('7.0.15');
    onTestFinished(() => young.close());
    await expect(checkRedis(`redis://127.0.0.1:${young.port}/0`, 'gateway')).rejects.toThrow(/lacks a right of the gateway: HGET/);
  });

  test('refuses a Redis that may evict keys', async () => {
    const evicting = await testRedisServer({ settings: { 'maxmemory-policy': ['allkeys-lru'] } });
    onTestFinished(() => evicting.stop());
    await expect(checkRedis(evicting.url, 'gateway')).rejects.toThrow(/maxmemory-policy allkeys-lru.*Set maxmemory-policy noeviction/);
  });

  test('a Redis that is away or hangs is no refusal', async () => {
    const gone = await testRedisServer();
    onTestFinished(() => gone.stop());
    gone.pause();
    expect(await checkRedis(gone.url, 'gateway')).toBe('away');
    gone.resume();
    await gone.kill();
    expect(await checkRedis(gone.url, 'gateway')).toBe('away');
  });
});
