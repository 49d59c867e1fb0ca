import pg from 'pg';
import type { Ports } from '../ports.ts';
import { PostgresBus } from './bus.ts';
import { PostgresCounters } from './counters.ts';
import { PostgresDirectory } from './directory.ts';
import { PostgresParts } from './parts.ts';
import { PostgresSharedStore } from './shared-store.ts';

export type PostgresPortsOptions = {
  /** As `patchbay_app` (control plane) or `patchbay_ports` (gateway). */
  readonly connectionString: string;
  /** Connections at most, the one that listens not counted; 4 when left away. */
  readonly connectionsMax?: number;
  /** Told of lost connections, which come back by themselves, and of what a listener of the bus threw. */
  readonly onError?: (error: unknown) => void;
};

const CONNECT_TIMEOUT_MS = 2_000;
const QUERY_TIMEOUT_MS = 15_000;

/** The ports on one Postgres. Connects on first use: a Postgres that is away makes calls reject, nothing else. */
export function createPostgresPorts({ connectionString, connectionsMax = 4, onError }: PostgresPortsOptions): Ports {
  const pool = new pg.Pool({
    connectionString,
    max: connectionsMax,
    application_name: 'patchbay-ports',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
    idleTimeoutMillis: 60_000,
    keepAlive: true,
  });
  // An idle connection that breaks is replaced on next use; without a listener it would end the process.
  pool.on('error', (error) => onError?.(error));
  const bus = new PostgresBus({ connectionString, pool, onError });
  return {
    bus,
    parts: new PostgresParts(pool),
    directory: new PostgresDirectory(pool),
    sharedStore: new PostgresSharedStore(pool),
    counters: new PostgresCounters(pool),
    async close() {
      await bus.close();
      await pool.end();
    },
  };
}
