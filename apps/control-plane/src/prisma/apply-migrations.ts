import { createHash, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from 'pg';

/** Prisma's own, so that its CLI and this never run at once. */
const LOCK = 72707369;

const TABLE = `create table if not exists _prisma_migrations (
  id varchar(36) primary key not null,
  checksum varchar(64) not null,
  finished_at timestamptz,
  migration_name varchar(255) not null,
  logs text,
  rolled_back_at timestamptz,
  started_at timestamptz not null default now(),
  applied_steps_count integer not null default 0
)`;

type Recorded = { readonly migration_name: string; readonly checksum: string; readonly finished_at: Date | null };

/** Does `work` while no other program migrates this database, Prisma's CLI included: it waits for its turn. */
export async function aloneOn<T>(client: Client, work: () => Promise<T>): Promise<T> {
  await client.query('select pg_advisory_lock($1)', [LOCK]);
  try {
    return await work();
  } finally {
    await client.query('select pg_advisory_unlock($1)', [LOCK]);
  }
}

/**
 * Applies what is not applied yet, in order, each in a transaction of its own, and returns the names. Keeps Prisma's
 * record, so that `prisma migrate status` agrees. Throws on a migration that failed before or was edited after it ran. To be done alone.
 */
export async function applyMigrations(client: Client, directory: string): Promise<string[]> {
  await client.query(TABLE);
  const { rows } = await client.query<Recorded>(
    'select migration_name, checksum, finished_at from _prisma_migrations where rolled_back_at is null',
  );
  const recorded = new Map(rows.map((row) => [row.migration_name, row]));
  const files = readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
  const applied: string[] = [];
  for (const name of files) {
    const sql = readFileSync(join(directory, name, 'migration.sql'), 'utf8');
    const checksum = createHash('sha256').update(sql).digest('hex');
    if (isApplied(name, checksum, recorded.get(name))) continue;
    await apply(client, { name, sql, checksum });
    applied.push(name);
  }
  return applied;
}

function isApplied(name: string, checksum: string, recorded: Recorded | undefined): boolean {
  if (recorded === undefined) return false;
  if (recorded.finished_at === null)
    throw new Error(`migration ${name} failed before: repair the database, then set its row's rolled_back_at in _prisma_migrations.`);
  if (recorded.checksum !== checksum)
    throw new Error(`migration ${name} was edited after it was applied: restore its text and write a new migration.`);
  return true;
}

async function apply(client: Client, { name, sql, checksum }: { name: string; sql: string; checksum: string }): Promise<void> {
  const id = randomUUID();
  await client.query('insert into _prisma_migrations (id, checksum, migration_name) values ($1, $2, $3)', [id, checksum, name]);
  try {
    await client.query('begin');
    await client.query(sql);
    await client.query('update _prisma_migrations set finished_at = now(), applied_steps_count = 1 where id = $1', [id]);
    await client.query('commit');
  } catch (error) {
    await client.query('rollback');
    // Rolled back whole, so the next start may try again.
    await client.query('update _prisma_migrations set rolled_back_at = now(), logs = $2 where id = $1', [id, String(error)]);
    throw new Error(`migration ${name} failed and was rolled back: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}
