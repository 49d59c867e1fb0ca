import type { Ports } from '../ports.ts';
import { RedisBus } from './bus.ts';
import { RedisConnection } from './connection.ts';
import { RedisCounters } from './counters.ts';
import { RedisDirectory } from './directory.ts';
import { RedisParts } from './parts.ts';
import { parseRedisUrl } from './redis-url.ts';
import { RedisSharedStore } from './shared-store.ts';

export type RedisPortsOptions = {
  /** As `parseRedisUrl` reads it. */
  readonly url: string;
  /** Told of lost connections, which come back by themselves, and of what a listener of the bus threw. */
  readonly onError?: (error: unknown) => void;
};

const CALL_TIMEOUT_MS = 1_500;
const BULK_TIMEOUT_MS = 15_000;

/**
 * The ports on one Redis (standalone, or the master that sentinels name). Connects on first use: a Redis that is away makes calls
 * reject, at once or after 1.5 s when it hangs (15 s for the bytes of parts), nothing else. Throws on an address it cannot read.
 */
export function createRedisPorts({ url, onError }: RedisPortsOptions): Ports {
  const target = parseRedisUrl(url);
  const connection = new RedisConnection({ target, name: 'patchbay-ports', timeoutMs: CALL_TIMEOUT_MS, onError });
  const bulk = new RedisConnection({ target, name: 'patchbay-parts', timeoutMs: BULK_TIMEOUT_MS, onError });
  const bus = new RedisBus({ target, connection, onError });
  return {
    bus,
    parts: new RedisParts({ connection, bulk }),
    directory: new RedisDirectory(connection),
    sharedStore: new RedisSharedStore(connection),
    counters: new RedisCounters(connection),
    async close() {
      await bus.close();
      connection.close();
      bulk.close();
    },
  };
}
