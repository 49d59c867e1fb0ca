import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { ensureRoles } from '@patchbay/ports';
import { testPostgres, type TestPostgres } from '@patchbay/testkit';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { applyMigrations } from '../src/prisma/apply-migrations.ts';

const SHIPPED = resolve(import.meta.dirname, '../../../prisma/migrations');
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
