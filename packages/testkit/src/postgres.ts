import { randomBytes } from 'node:crypto';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { startPostgres } from '@patchbay/embedded-postgres';
import pg from 'pg';
import { guardAgainstOrphan } from './orphan-guard.ts';

const PASSWORD = 'for-tests-only';
const TEMPLATE = resolve(import.meta.dirname, '../../../node_modules/.cache/patchbay-test-postgres-18.4');

export type TestPostgres = {
  readonly port: number;
  readonly pid: number;
  superuserUrl(database: string): string;
  /** A new database of a random name, empty or a copy of `template` (to which nobody may be connected). */
  createDatabase(template?: string): Promise<string>;
  /** Ends the server and removes its files. */
  stop(): Promise<void>;
};

/**
 * A real Postgres of its own, cheap enough for each test file (0.3 s): the cluster is copied from one made once, and commits do not wait
 * for the disk. Superuser `postgres`; roles are shared by all its databases.
 */
export async function testPostgres(): Promise<TestPostgres> {
  await makeTemplate();
  const home = mkdtempSync(join(tmpdir(), 'patchbay-test-pg-'));
  const dataDir = join(home, 'postgres');
  cpSync(TEMPLATE, dataDir, { recursive: true });
  chmodSync(dataDir, 0o700);
  rmSync(join(dataDir, 'patchbay-port'), { force: true });
  const settings = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' };
  const server = await startPostgres({ dataDir, superuserPassword: PASSWORD, settings });
  const guard = guardAgainstOrphan(server.pid, home, 'QUIT');
  return {
    port: server.port,
    pid: server.pid,
    superuserUrl: (database) => server.superuserUrl(database),
    async createDatabase(template = 'template0') {
      const name = `test_${randomBytes(6).toString('hex')}`;
      const client = new pg.Client({ connectionString: server.superuserUrl('postgres') });
      await client.connect();
      try {
        await client.query(`create database ${pg.escapeIdentifier(name)} template ${pg.escapeIdentifier(template)}`);
      } finally {
        await client.end();
      }
      return name;
    },
    async stop() {
      await server.stop();
      guard.end();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

async function makeTemplate(): Promise<void> {
  if (existsSync(TEMPLATE)) return;
  mkdirSync(resolve(TEMPLATE, '..'), { recursive: true });
  const own = `${TEMPLATE}.${process.pid}.${randomBytes(4).toString('hex')}`;
  const server = await startPostgres({ dataDir: join(own, 'data'), superuserPassword: PASSWORD });
  await server.stop();
  try {
    renameSync(join(own, 'data'), TEMPLATE);
  } catch {
    // Another test file was faster; its cluster is as good.
  }
  rmSync(own, { recursive: true, force: true });
}
