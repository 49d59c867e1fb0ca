import { fileURLToPath } from 'node:url';
import { migratePorts } from '@patchbay/ports';
import { runMigrations } from 'bullmq';
import pg from 'pg';
import { readOwnerDatabaseUrl } from './config/config.ts';
import { aloneOn, applyMigrations } from './prisma/apply-migrations.ts';
import { writeSync } from 'node:fs';

const MIGRATIONS = fileURLToPath(new URL('../../../prisma/migrations', import.meta.url));

/** The jobs' tables belong to the owner; the app role only works in them. */
const JOB_RIGHTS = `
  grant usage on schema bullmq to patchbay_app;
  grant select, insert, update, delete on all tables in schema bullmq to patchbay_app;
  grant usage, select, update on all sequences in schema bullmq to patchbay_app;
  grant execute on all functions in schema bullmq to patchbay_app`;

async function migrate(): Promise<void> {
  const client = new pg.Client({ connectionString: readOwnerDatabaseUrl().reveal(), application_name: 'patchbay migrate' });
  await client.connect();
  try {
    // All of it: two programs that grant the same rights at once trip over each other in Postgres' own tables.
    const applied = await aloneOn(client, async () => {
      const names = await applyMigrations(client, MIGRATIONS);
      await migratePorts(client);
      await runMigrations(client, 'bullmq');
      await client.query(JOB_RIGHTS);
      return names;
    });
    writeSync(process.stdout.fd, applied.length === 0 ? 'The database is up to date.\n' : `Applied ${applied.join(', ')}.\n`);
  } finally {
    await client.end();
  }
}

try {
  await migrate();
} catch (error) {
  writeSync(process.stderr.fd, `The database cannot be migrated: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof Error && error.name === 'ConfigError' ? 78 : 1;
}
