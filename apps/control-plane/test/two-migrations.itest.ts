import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ENV } from '@patchbay/contracts';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Installation } from './support/installation.ts';

const ROUNDS = 3;
/** Every table, column, index, function, policy and right of ours: what one migration of an empty database leaves. */
const SCHEMA = `
  with ours as (select oid, nspname from pg_namespace where nspname in ('public', 'ports', 'bullmq'))
  select concat_ws(' ', 'table', nspname, relname, relkind, relpersistence, relrowsecurity, relforcerowsecurity, relacl::text) as line
    from pg_class join ours on ours.oid = relnamespace
  union all select concat_ws(' ', 'column', nspname, relname, attname, format_type(atttypid, atttypmod), attnotnull)
    from pg_attribute a join pg_class c on c.oid = attrelid join ours on ours.oid = relnamespace where attnum > 0 and not attisdropped
  union all select concat_ws(' ', 'function', nspname, proname, md5(prosrc), proacl::text) from pg_proc join ours on ours.oid = pronamespace
  union all select concat_ws(' ', 'constraint', nspname, conname, pg_get_constraintdef(k.oid))
    from pg_constraint k join ours on ours.oid = connamespace
  union all select concat_ws(' ', 'policy', schemaname, tablename, policyname, cmd, qual, with_check) from pg_policies
  union all select concat_ws(' ', 'migration', migration_name, checksum, finished_at is not null, rolled_back_at)
    from public._prisma_migrations
  order by 1`;

let installation: Installation;

beforeAll(async () => {
  installation = await Installation.start();
});

afterAll(() => installation.stop());

async function schemaOf(database: string): Promise<string[]> {
  const client = new pg.Client({ connectionString: installation.postgres.superuserUrl(database) });
  await client.connect();
  try {
    return (await client.query<{ line: string }>(SCHEMA)).rows.map(({ line }) => line);
  } finally {
    await client.end();
  }
}

async function emptyDatabase(): Promise<{ database: string; env: Record<string, string> }> {
  const database = await installation.postgres.createDatabase();
  const admin = await installation.sql();
  await admin.query(`alter database ${database} owner to patchbay_owner`);
  await admin.end();
  const file = join(installation.home, `${database}.url`);
  writeFileSync(file, `postgres://patchbay_owner:owner@127.0.0.1:${installation.postgres.port}/${database}`, { mode: 0o600 });
  return { database, env: { [ENV.ownerDatabaseUrlFile]: file } };
}

test('two programs that migrate an empty database at once both succeed, and it is as one would have left it', async () => {
  const whole = await schemaOf(installation.database);
  expect(whole.length).toBeGreaterThan(200);
  for (let round = 0; round < ROUNDS; round += 1) {
    const { database, env } = await emptyDatabase();
    const said = await Promise.all([installation.run('migrate.js', env), installation.run('migrate.js', env)]);
    expect(said.map((line) => line.split(' ', 1)[0]).sort(), 'one applies, the other finds it done').toEqual(['Applied', 'The']);
    expect(await schemaOf(database)).toEqual(whole);
  }
});
