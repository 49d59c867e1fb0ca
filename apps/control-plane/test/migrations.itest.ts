import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { ensureRoles } from '@patchbay/ports';
import { testPostgres, type TestPostgres } from '@patchbay/testkit';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { applyMigrations } from '../src/prisma/apply-migrations.ts';
import { tablesOf, type TableShape } from './support/prisma-model.ts';

const PRISMA = resolve(import.meta.dirname, '../../../prisma');
const SHIPPED = join(PRISMA, 'migrations');
/** Indexes that Prisma's language cannot say. */
const BEYOND_THE_SCHEMA = ['outbox_unpublished_idx'];
let postgres: TestPostgres;
let owner: pg.Client;
let folder: string;

beforeAll(async () => {
  postgres = await testPostgres();
  const admin = new pg.Client({ connectionString: postgres.superuserUrl('postgres') });
  await admin.connect();
  await ensureRoles(admin, { appPassword: 'app', portsPassword: 'ports', ownerPassword: 'owner' });
  await admin.end();
});

afterAll(() => postgres.stop());

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'patchbay-migrations-'));
  cpSync(SHIPPED, folder, { recursive: true });
  const database = await postgres.createDatabase();
  owner = new pg.Client({ connectionString: postgres.superuserUrl(database) });
  await owner.connect();
});

afterEach(async () => {
  await owner.end();
  rmSync(folder, { recursive: true, force: true });
});

function addMigration(name: string, sql: string): void {
  mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, name, 'migration.sql'), sql);
}

async function tablesInDatabase(): Promise<Map<string, TableShape>> {
  const columns = await owner.query<{ table: string; column: string; shape: string }>(`
    select c.relname as table, a.attname as column,
      case when t.typelem <> 0 and t.typcategory = 'A' then e.typname || '[]' else t.typname end
      || coalesce('(' || information_schema._pg_datetime_precision(a.atttypid, nullif(a.atttypmod, -1)) || ')', '')
      || case when a.attnotnull then ' not null' else '' end || case when a.atthasdef then ' default' else '' end as shape
    from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
      join pg_type t on t.oid = a.atttypid left join pg_type e on e.oid = t.typelem
    where n.nspname = 'public' and c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped and c.relname <> '_prisma_migrations'`);
  const keys = await owner.query<{ table: string; key: string }>(
    `
    select x.indrelid::regclass::text as table, case when x.indisprimary then 'primary key' when x.indisunique then 'unique' else 'index' end
      || ' (' || (select string_agg(a.attname, ', ' order by k.ord) from unnest(x.indkey::int[]) with ordinality k (num, ord)
        join pg_attribute a on a.attrelid = x.indrelid and a.attnum = k.num) || ')' as key
    from pg_index x join pg_class i on i.oid = x.indexrelid join pg_namespace n on n.oid = i.relnamespace
    where n.nspname = 'public' and x.indrelid::regclass::text <> '_prisma_migrations' and i.relname <> all($1)
    union all
    select conrelid::regclass::text, lower(regexp_replace(pg_get_constraintdef(oid), 'REFERENCES (\\w+)\\(', 'references \\1 (')) from pg_constraint
    where contype = 'f' and connamespace = 'public'::regnamespace`,
    [BEYOND_THE_SCHEMA],
  );
  const tables = new Map<string, { columns: Record<string, string>; keys: string[] }>();
  for (const { table, column, shape } of columns.rows) {
    const entry = tables.get(table) ?? { columns: {}, keys: [] };
    tables.set(table, entry);
    entry.columns[column] = shape;
  }
  for (const { table, key } of keys.rows) tables.get(table)?.keys.push(key);
  for (const { keys: own } of tables.values()) own.sort();
  return tables;
}

test('the migrations make exactly the tables that the schema describes', async () => {
  await applyMigrations(owner, SHIPPED);
  const described = tablesOf(readFileSync(join(PRISMA, 'schema.prisma'), 'utf8'));
  expect(described.size).toBeGreaterThan(5);
  expect(await tablesInDatabase()).toEqual(described);
});

test.each([
  'alter table grants alter column mode drop not null',
  'alter table servers alter column connect_ms type bigint',
  'alter table sessions alter column expires_at type timestamptz',
  'alter table users alter column operator drop default',
  'alter table users add column nickname text',
  'alter table servers drop column notice',
  'drop index users_organisation_id_email_key',
  'drop index grants_organisation_id_server_id_idx',
  'create table strays (id uuid primary key)',
  'alter table bare_names drop constraint bare_names_organisation_id_server_id_fkey',
])('the comparison sees this drift: %s', async (drift) => {
  await applyMigrations(owner, SHIPPED);
  await owner.query(drift);
  expect(await tablesInDatabase()).not.toEqual(tablesOf(readFileSync(join(PRISMA, 'schema.prisma'), 'utf8')));
});

test('a new migration keeps the data, adds what it adds and runs once', async () => {
  await applyMigrations(owner, folder);
  const id = crypto.randomUUID();
  await owner.query(`insert into organisations (id, slug, name) values ($1, 'kept', 'Kept')`, [id]);
  await owner.query(
    `insert into servers (organisation_id, id, slug, kind, description, connect_ms, request_ms, url, isolation, generation)
     values ($1, gen_random_uuid(), 'one', 'streamable-http', 'before', 1000, 1000, 'https://x.example/mcp', 'session', 'g')`,
    [id],
  );
  addMigration('0002_colour', `alter table servers add column colour text not null default 'grey';`);
  expect(await applyMigrations(owner, folder)).toEqual(['0002_colour']);
  expect((await owner.query('select slug, description, colour from servers')).rows).toEqual([
    { slug: 'one', description: 'before', colour: 'grey' },
  ]);
  expect((await owner.query('select name from organisations')).rows).toEqual([{ name: 'Kept' }]);
  expect(await applyMigrations(owner, folder)).toEqual([]);
});

test('a migration that fails halfway leaves nothing of itself, is named, and runs once it is right', async () => {
  await applyMigrations(owner, folder);
  addMigration('0002_half', 'create table half (id int); select no_such_column from organisations;');
  await expect(applyMigrations(owner, folder)).rejects.toThrow(/migration 0002_half failed and was rolled back/);
  expect((await owner.query(`select to_regclass('half') as half`)).rows).toEqual([{ half: null }]);
  addMigration('0002_half', 'create table half (id int);');
  expect(await applyMigrations(owner, folder)).toEqual(['0002_half']);
});

test('a migration edited after it ran is refused by name, and nothing after it runs', async () => {
  await applyMigrations(owner, folder);
  const [first = ''] = readdirSync(folder).sort();
  const file = join(folder, first, 'migration.sql');
  writeFileSync(file, `${readFileSync(file, 'utf8')}\n-- edited\n`);
  addMigration('0002_after', 'create table after_it (id int);');
  await expect(applyMigrations(owner, folder)).rejects.toThrow(`migration ${first} was edited`);
  expect((await owner.query(`select to_regclass('after_it') as found`)).rows).toEqual([{ found: null }]);
});

test('the record is Prisma’s own: a row for each migration with the SHA-256 of its file', async () => {
  await applyMigrations(owner, SHIPPED);
  const { rows } = await owner.query(
    'select migration_name, checksum, finished_at is not null as finished, rolled_back_at, applied_steps_count from _prisma_migrations order by 1',
  );
  const names = readdirSync(SHIPPED, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
  expect(rows).toEqual(
    names.map((name) => ({
      migration_name: name,
      checksum: createHash('sha256')
        .update(readFileSync(join(SHIPPED, name, 'migration.sql')))
        .digest('hex'),
      finished: true,
      rolled_back_at: null,
      applied_steps_count: 1,
    })),
  );
});
