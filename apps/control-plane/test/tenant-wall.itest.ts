import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Installation } from './support/installation.ts';

let installation: Installation;
let app: pg.Client;
let organisation: string;
let other: string;

beforeAll(async () => {
  installation = await Installation.start();
  app = await installation.sql('app');
  const created = await installation.call('POST', '/api/v1/orgs', {
    headers: { authorization: `Bearer ${installation.first.apiToken}` },
    body: { slug: 'other', name: 'Other', owner: { email: 'owner@other.example', password: 'a long enough passphrase' } },
  });
  expect(created.status).toBe(201);
  const { rows } = await app.query<{ organisation_id: string; slug: string }>('select organisation_id, slug from organisation_positions()');
  organisation = rows.find(({ slug }) => slug === 'default')?.organisation_id ?? '';
  other = rows.find(({ slug }) => slug === 'other')?.organisation_id ?? '';
});

afterAll(async () => {
  await app.end();
  await installation.stop();
});

const TABLES = [
  'organisations',
  'users',
  'sessions',
  'api_tokens',
  'personal_tokens',
  'servers',
  'server_secrets',
  'server_catalogues',
  'grants',
  'limits',
  'bare_names',
  'outbox',
];

/** Of no organisation; reached through functions only. */
const UNREACHABLE = ['pods'];

test('every table of the schema is one that this suite knows', async () => {
  const { rows } = await app.query(
    `select tablename from pg_tables where schemaname = 'public' and tablename <> '_prisma_migrations' order by 1`,
  );
  expect(rows.map(({ tablename }) => tablename)).toEqual([...TABLES, ...UNREACHABLE].sort());
});

test.each(TABLES)('without an organisation %s shows no rows', async (table) => {
  expect((await app.query(`select 1 from ${table}`)).rows).toEqual([]);
});

test.each(UNREACHABLE)('%s can be neither read nor written by the control plane', async (table) => {
  await expect(app.query(`select 1 from ${table}`)).rejects.toThrow(/permission denied/);
  await expect(app.query(`delete from ${table}`)).rejects.toThrow(/permission denied/);
});

test('a pooled connection that served an organisation shows nothing afterwards', async () => {
  await app.query('begin');
  await app.query(`select set_config('patchbay.org', $1, true)`, [organisation]);
  expect((await app.query('select slug from organisations')).rows).toEqual([{ slug: 'default' }]);
  expect((await app.query('select slug from servers order by slug')).rows).toEqual([{ slug: 'everything' }, { slug: 'memory' }]);
  await app.query('commit');
  for (const table of TABLES) expect((await app.query(`select 1 from ${table}`)).rows, table).toEqual([]);
});

test('a row of another organisation can be neither written nor referred to', async () => {
  await app.query('begin');
  await app.query(`select set_config('patchbay.org', $1, true)`, [other]);
  const server = await serverOf(organisation);
  await app.query('savepoint here');
  const grant = `insert into grants (organisation_id, id, subject_kind, server_id, mode, names) values ($1, gen_random_uuid(), 'everyone', $2, 'all', '{}')`;
  await expect(app.query(grant, [other, server])).rejects.toThrow(/foreign key/);
  await app.query('rollback to here');
  await expect(app.query(grant, [organisation, server])).rejects.toThrow(/row-level security/);
  await app.query('rollback to here');
  const limit = `insert into limits (organisation_id, id, name, mode, server_id, concurrency) values ($1, gen_random_uuid(), 'one', 'enforce', $2, 1)`;
  await expect(app.query(limit, [other, server])).rejects.toThrow(/foreign key/);
  await app.query('rollback to here');
  await expect(app.query(limit, [organisation, server])).rejects.toThrow(/row-level security/);
  await app.query('rollback');
});

test('the role of the control plane owns nothing and cannot make anything', async () => {
  await expect(app.query('create table mine (id int)')).rejects.toThrow(/permission denied/);
  await expect(app.query('alter table servers disable row level security')).rejects.toThrow(/must be owner/);
  await expect(app.query('truncate servers')).rejects.toThrow(/permission denied/);
});

test('the control plane refuses to start as a role that bypasses row-level security', async () => {
  const { writeFileSync } = await import('node:fs');
  const file = `${installation.home}/keys/super.url`;
  writeFileSync(file, installation.postgres.superuserUrl(installation.database), { mode: 0o600 });
  await expect(installation.run('main.js', { PATCHBAY_DATABASE_URL_FILE: file })).rejects.toThrow(/cannot start/);
});

test('the control plane refuses to start with a tenant table whose policy is not forced', async () => {
  const owner = await installation.sql('owner');
  try {
    await owner.query('alter table grants no force row level security');
    await expect(installation.run('main.js')).rejects.toThrow(/cannot start/);
  } finally {
    await owner.query('alter table grants force row level security');
    await owner.end();
  }
});

test('a migration that was edited after it ran is named and stops everything', async () => {
  const owner = await installation.sql('owner');
  const first = `migration_name = '0001_organisations_servers_grants_tokens'`;
  const { rows } = await owner.query<{ checksum: string }>(`select checksum from _prisma_migrations where ${first}`);
  try {
    await owner.query(`update _prisma_migrations set checksum = 'another' where ${first}`);
    await expect(installation.run('migrate.js')).rejects.toThrow(/0001_organisations_servers_grants_tokens was edited/);
  } finally {
    await owner.query(`update _prisma_migrations set checksum = $1 where ${first}`, [rows[0]?.checksum]);
    await owner.end();
  }
  expect(await installation.run('migrate.js')).toContain('up to date');
});

async function serverOf(organisationId: string): Promise<string> {
  const superuser = await installation.sql();
  const { rows } = await superuser.query<{ id: string }>('select id from servers where organisation_id = $1 limit 1', [organisationId]);
  await superuser.end();
  return rows[0]?.id ?? '';
}
