import { Redis } from 'ioredis';

/** Every key with everything that it holds. */
export async function dumpRedis(url: string): Promise<unknown[]> {
  const redis = new Redis(url);
  try {
    const found: unknown[] = [];
    for (const key of await redis.keys('*')) found.push(key, await contentOf(redis, key));
    return found;
  } finally {
    redis.disconnect();
  }
}

async function contentOf(redis: Redis, key: string): Promise<unknown> {
  switch (await redis.type(key)) {
    case 'string':
      return redis.getBuffer(key);
    case 'hash':
      return Object.entries(await redis.hgetallBuffer(key));
    case 'list':
      return redis.lrangeBuffer(key, 0, -1);
    case 'set':
      return redis.smembersBuffer(key);
    case 'zset':
      return redis.zrangeBuffer(key, 0, '-1');
    case 'stream':
      return redis.xrangeBuffer(key, '-', '+');
    // Expired meanwhile.
    default:
      return null;
  }
}
