import { Redis } from 'ioredis';
import { testRedisServer } from './redis-server.ts';

export type TestRedis = {
  readonly url: string;
  /** Gives it back, empty. */
  stop(): Promise<void>;
};

/** A client that asks nobody: for what tests do behind the ports' back, as whoever can write to Redis could. */
export function plainRedis(url: string): Redis {
  const client = new Redis(url);
  client.on('error', () => undefined);
  return client;
}

const CLAIM = 'patchbay-test-claim';
const CLAIM_STALE_MS = 3_600_000;
const DATABASES = Array.from({ length: 15 }, (_, k) => 15 - k);

/**
 * A real, empty Redis for a test file: an empty database of the server that REDIS_URL names, else a server of its own. Tests that kill or
 * configure it take `testRedisServer`. Their files are named `*.redis.*` and `*.redis-server.*` (scripts/programs.mjs).
 */
export async function testRedis(): Promise<TestRedis> {
  const shared = process.env['REDIS_URL'];
  return shared === undefined || shared === '' ? testRedisServer() : claimDatabase(shared);
}

/** Only ever empties a database that was empty when a test claimed it. Database 0 is never touched. */
async function claimDatabase(serverUrl: string): Promise<TestRedis> {
  for (const database of DATABASES) {
    const url = new URL(serverUrl);
    url.pathname = `/${database}`;
    const client = new Redis(url.href, { maxRetriesPerRequest: 1 });
    client.on('error', () => undefined);
    if (await claim(client)) {
      return {
        url: url.href,
        async stop() {
          await client.flushdb();
          client.disconnect();
        },
      };
    }
    client.disconnect();
  }
  throw new Error('The Redis of REDIS_URL has no empty database (1 to 15) for a test.');
}

async function claim(client: Redis): Promise<boolean> {
  const claimedAt = await client.get(CLAIM);
  // Left by a run that was killed.
  if (claimedAt !== null && Date.now() - Number(claimedAt) > CLAIM_STALE_MS) await client.flushdb();
  if ((await client.set(CLAIM, String(Date.now()), 'NX')) === null) return false;
  if ((await client.dbsize()) === 1) return true;
  await client.del(CLAIM);
  return false;
}
