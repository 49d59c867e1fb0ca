import type { OrganisationId, PartHash, Revision, TokenHash } from '@patchbay/contracts';
import { RedisBus } from './bus.ts';
import { RedisConnection } from './connection.ts';
import { RedisCounters } from './counters.ts';
import { RedisDirectory } from './directory.ts';
import { directoryKey, manifestKey, partsKey, slugKey } from './keys.ts';
import { RedisParts } from './parts.ts';
import { parseRedisUrl } from './redis-url.ts';
import { RedisSharedStore } from './shared-store.ts';

export type RedisUser = 'control plane' | 'gateway';

type Ports = ReturnType<typeof open>;
/** Something the program will do, tried on an organisation that nobody has. `needs`: as an ACL would grant it. */
type Step = { readonly needs: string; readonly attempt: (ports: Ports) => Promise<unknown> };

const VERSION_MIN = 7;
const TIMEOUT_MS = 1_500;
/** Of a command, and of a command in a script. */
const DENIED = /^NOPERM|ACL failure|user executing the script can't/;
const NOBODY = '00000000-0000-0000-0000-000000000000' as OrganisationId;
const HASH = '0'.repeat(64);
const PART = HASH as PartHash;
const TOKEN = HASH as TokenHash;
const at = { epoch: 0, revision: 0 as Revision };
const windows = [{ windowMs: 1_000, max: 1 }];
const held = { holder: 'check', max: 1, wanted: 1, ttlMs: 1_000 };

const EVERYBODY: readonly Step[] = [
  {
    needs: 'HGET and HMGET on patchbay:{*}:manifest',
    attempt: ({ parts }) => parts.getManifest(NOBODY).then(() => parts.getPositions([NOBODY])),
  },
  { needs: 'GET on patchbay:{*}:part:*', attempt: ({ parts }) => parts.getParts(NOBODY, [PART]) },
  {
    needs: 'EVAL_RO, EVALSHA_RO, GET and HGET on patchbay:{*}:directory and patchbay:{*}:token:*',
    attempt: ({ directory }) => directory.getToken(NOBODY, TOKEN),
  },
  { needs: 'GET on patchbay:slug:{*}', attempt: ({ directory }) => directory.getOrganisation('') },
  {
    needs: 'GET, SET, UNLINK, EVAL and EVALSHA on patchbay:{*}:shared:*',
    attempt: async ({ shared }) => {
      await shared.setIfAbsent(NOBODY, 'check', 'a', 1_000);
      await shared.compareAndSet(NOBODY, 'check', 'a', 'b', 1_000);
      await shared.delete(NOBODY, 'check');
    },
  },
  {
    needs: 'EVAL, EVALSHA, TIME, HGET, HGETALL, HSET, HDEL, HINCRBY and PEXPIRE on patchbay:{*}:slices:* and patchbay:{*}:slots:*',
    attempt: async ({ counters }) => {
      const { chargedAtMs } = await counters.take(NOBODY, 'check', { windows, wanted: 1 });
      await counters.giveBack(NOBODY, 'check', { windows, permits: 1, chargedAtMs });
      await counters.hold(NOBODY, 'check', held);
      await counters.hold(NOBODY, 'check', { ...held, wanted: 0 });
    },
  },
  { needs: 'PUBLISH on the channels patchbay:bus:*', attempt: ({ bus }) => bus.publish('pods', '') },
  {
    needs: 'SUBSCRIBE on the channels patchbay:bus:*',
    attempt: ({ connection }) => connection.run((client) => client.subscribe('patchbay:bus:check')),
  },
];

const CONTROL_PLANE: readonly Step[] = [
  {
    needs: 'EVAL, EVALSHA, TIME, EXISTS, SET, UNLINK, ZADD, ZREM, ZSCORE and ZRANGEBYSCORE on patchbay:{*}:parts and patchbay:{*}:part:*',
    attempt: async ({ parts }) => {
      await parts.putParts(NOBODY, [{ hash: PART, bytes: Buffer.alloc(0) }]);
      await parts.missing(NOBODY, [PART]);
      await parts.collectGarbage(NOBODY, [], -1_000);
    },
  },
  { needs: 'EVAL, EVALSHA, HMGET and HSET on patchbay:{*}:manifest', attempt: ({ parts }) => parts.putManifest(NOBODY, at, '') },
  {
    needs: 'EVAL, EVALSHA, GET, SET, HGET, HSET, PERSIST and PEXPIREAT on patchbay:{*}:directory and patchbay:{*}:token:*',
    attempt: async ({ directory }) => {
      await directory.putTokens(NOBODY, at.revision, [{ tokenHash: TOKEN, jws: '' }]);
      await directory.putTokens(NOBODY, at.revision, [{ tokenHash: TOKEN, jws: '', expiresAtMs: 1 }]);
    },
  },
  { needs: 'SET on patchbay:slug:{*}', attempt: ({ directory }) => directory.putOrganisation('', '') },
  {
    needs: 'UNLINK on patchbay:*',
    attempt: async ({ connection }) => {
      for (const key of [manifestKey(NOBODY), partsKey(NOBODY), directoryKey(NOBODY), slugKey('')])
        await connection.run((client) => client.unlink(key));
    },
  },
  {
    needs: 'everything BullMQ does on {patchbay}:* (deploy/redis/users.acl has a list)',
    attempt: ({ connection }) => connection.run((client) => client.del('{patchbay}:check')),
  },
];

/**
 * Whether this Redis is one that the program can work with. Throws a sentence that says what to do when it never will be: too old, a wrong
 * password, a right that is missing, keys that it may evict. `away` when it cannot be reached or does not answer: that may pass.
 */
export async function checkRedis(url: string, user: RedisUser): Promise<'fit' | 'away'> {
  const ports = open(url);
  try {
    checkServer(await ports.connection.run((client) => client.info()).catch((error: unknown) => refuseMissing(error, user, 'INFO')));
    for (const { needs, attempt } of user === 'gateway' ? EVERYBODY : [...EVERYBODY, ...CONTROL_PLANE])
      await attempt(ports).catch((error: unknown) => refuseMissing(error, user, needs));
    return 'fit';
  } catch (error) {
    if (error instanceof Unfit) throw error;
    return 'away';
  } finally {
    ports.connection.close();
  }
}

class Unfit extends Error {}

function open(url: string) {
  const target = parseRedisUrl(url);
  const connection = new RedisConnection({ target, name: 'patchbay-check', timeoutMs: TIMEOUT_MS });
  return {
    connection,
    bus: new RedisBus({ target, connection }),
    parts: new RedisParts({ connection, bulk: connection }),
    directory: new RedisDirectory(connection),
    shared: new RedisSharedStore(connection),
    counters: new RedisCounters(connection),
  };
}

function checkServer(info: string): void {
  const fact = (name: string): string => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? '';
  const version = fact('redis_version');
  if (Number.parseInt(version, 10) < VERSION_MIN)
    throw new Unfit(`This Redis is version ${version}: Patchbay needs ${VERSION_MIN} or newer. Upgrade it or name another one.`);
  const policy = fact('maxmemory_policy');
  if (policy !== '' && policy !== 'noeviction')
    throw new Unfit(
      `This Redis may evict keys (maxmemory-policy ${policy}), and with them revocations, limits and jobs. Set maxmemory-policy noeviction.`,
    );
}

function refuseMissing(error: unknown, user: RedisUser, needs: string): never {
  const message = error instanceof Error ? error.message : '';
  if (/WRONGPASS|NOAUTH/.test(message))
    throw new Unfit(
      'Redis does not accept the user and password of its address. Correct them, or set them in Redis (deploy/redis/users.acl).',
    );
  if (DENIED.test(message))
    throw new Unfit(`The user of Redis lacks a right of the ${user}: ${needs}. Grant it, as deploy/redis/users.acl does.`);
  throw error;
}
