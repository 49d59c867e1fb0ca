import type { Ports } from './ports.ts';
import { createPostgresPorts } from './postgres/create-postgres-ports.ts';
import { createRedisPorts } from './redis/create-redis-ports.ts';

export type PortsOptions = {
  /** Where it is set the stores are there, and Postgres is not touched. As `parseRedisUrl` reads it. */
  readonly redisUrl: string | null;
  readonly postgresUrl: string | null;
  /** Of Postgres: connections at most, the one that listens not counted. */
  readonly connectionsMax?: number;
  /** Told of lost connections, which come back by themselves, and of what a listener of the bus threw. */
  readonly onError: (error: unknown) => void;
};

/** The one place that chooses where the stores are; nothing else in the code knows. Throws where neither is configured. */
export function createPorts({ redisUrl, postgresUrl, onError, ...options }: PortsOptions): Ports {
  if (redisUrl !== null) return createRedisPorts({ url: redisUrl, onError });
  if (postgresUrl === null) throw new Error('Neither Redis nor Postgres is configured.');
  return createPostgresPorts({ connectionString: postgresUrl, onError, ...options });
}

/** Throws a sentence that never holds the address, which may hold a password. */
export function checkPostgresUrl(text: string): void {
  const parsed = URL.parse(text);
  if (parsed === null || !['postgres:', 'postgresql:'].includes(parsed.protocol))
    throw new Error('The address of Postgres has not the form: it is postgres://user:password@host:5432/database.');
}
