import { appendFileSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureRoles } from '@patchbay/ports';
import { testPostgres, type TestPostgres } from '@patchbay/testkit';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { applyMigrations } from '../../apps/control-plane/src/prisma/apply-migrations.ts';
import { makeCheckout, ROOT, type Checkout } from './support/checkout.ts';

const SHIPPED = join(ROOT, 'prisma/migrations');
const LATEST = readdirSync(SHIPPED).filter((name) => /^\d/.test(name)).length;
const FIRST = '0001_organisations_servers_grants_tokens';

type Engine = { differenceOf(of: { url: string; schema: string }): Promise<{ summary: string; sql: string } | null> };

let engine: Engine;
let postgres: TestPostgres;
let template: string;

/** Runs `work` on a database of the test server, as its superuser. */
async function on<T>(database: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: postgres.superuserUrl(database) });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

beforeAll(async () => {
  engine = (await import(join(ROOT, 'tools/migrations/engine.mjs'))) as Engine;
  postgres = await testPostgres();
  await on('postgres', (client) => ensureRoles(client, { appPassword: 'app', portsPassword: 'ports', ownerPassword: 'owner' }));
  template = await postgres.createDatabase();
  await on(template, (client) => applyMigrations(client, SHIPPED));
});

afterAll(() => postgres.stop());

function planted(change: (checkout: Checkout, schema: string) => void): Checkout {
  const checkout = makeCheckout({ copied: ['prisma'], installed: false });
  change(checkout, readFileSync(join(ROOT, 'prisma/schema.prisma'), 'utf8'));
  return checkout;
}

const check = (checkout: Checkout) => checkout.run('tools/migrations/check.mjs');
const command = (checkout: Checkout, ...args: string[]) => checkout.run('scripts/migrations.mjs', ...args);
const next = (label: string): string => `${String(LATEST + 1).padStart(4, '0')}_${label}`;
const MODEL =
  '\nmodel Colour {\n  organisationId String @map("organisation_id") @db.Uuid\n  id String @db.Uuid\n\n  @@id([organisationId, id])\n  @@map("colours")\n}\n';

test('the shipped migrations pass, with all that Prisma does not know in them', async () => {
  expect(await check(planted(() => undefined))).toEqual({ code: 0, output: `${LATEST} migrations, 0 findings\n` });
});

test.each<[what: string, says: string, change: (checkout: Checkout, schema: string) => void]>([
  [
    'a column that the schema describes otherwise',
    'ALTER COLUMN "connect_ms" SET DATA TYPE BIGINT',
    (checkout, schema) => checkout.write({ 'prisma/schema.prisma': schema.replace(/(connectMs +)Int( .*)/, '$1BigInt$2') }),
  ],
  [
    'a model without a migration',
    'CREATE TABLE "colours"',
    (checkout, schema) => checkout.write({ 'prisma/schema.prisma': `${schema}${MODEL}` }),
  ],
  [
    'an index that the schema no longer describes',
    'DROP INDEX "grants_organisation_id_server_id_idx"',
    (checkout, schema) =>
      checkout.write({
        'prisma/schema.prisma': schema.replace(/(model Grant \{[^}]*)\n {2}@@index\(\[organisationId, serverId\]\)/, '$1'),
      }),
  ],
  [
    'a sealed migration that was edited, were it by a comment',
    `${FIRST}: its text changed after it was sealed`,
    (checkout) => appendFileSync(join(checkout.root, `prisma/migrations/${FIRST}/migration.sql`), '-- edited\n'),
  ],
  [
    'a migration that does not run',
    `${next('half')} failed and was rolled back: column "no_such" does not exist`,
    (checkout) => checkout.write({ [`prisma/migrations/${next('half')}/migration.sql`]: 'select no_such;\n' }),
  ],
  [
    'a number taken twice',
    '0001_twice: its number should be 0002',
    (checkout) => checkout.write({ 'prisma/migrations/0001_twice/migration.sql': 'select 1;\n' }),
  ],
  [
    'a schema that Prisma cannot read',
    'This line is invalid',
    (checkout, schema) => checkout.write({ 'prisma/schema.prisma': `${schema}\n@@nonsense\n` }),
  ],
])('the check fails on %s', async (_what, says, change) => {
  const { code, output } = await check(planted(change));
  expect(code, output).toBe(1);
  expect(output).toContain(says);
});

test('a check that reads no migration fails', async () => {
  const checkout = makeCheckout({ copied: ['prisma/schema.prisma'], installed: false });
  expect(await check(checkout)).toMatchObject({ code: 1, output: expect.stringContaining('no migration was read') });
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
  const database = await postgres.createDatabase(template);
  const schema = readFileSync(join(ROOT, 'prisma/schema.prisma'), 'utf8');
  const compare = () => engine.differenceOf({ url: postgres.superuserUrl(database), schema });
  expect(await compare()).toBeNull();
  await on(database, (client) => client.query(drift));
  expect(await compare()).not.toBeNull();
});

test('the status of a database says when its tables are not what the schema describes', async () => {
  const database = await postgres.createDatabase(template);
  const status = () =>
    command(
      planted(() => undefined),
      'status',
      '--database',
      postgres.superuserUrl(database),
    );
  expect(await status()).toEqual({ code: 0, output: expect.stringContaining('Every migration is applied') });
  await on(database, (client) => client.query('alter table users add column nickname text'));
  expect(await status()).toEqual({ code: 2, output: expect.stringMatching(/not what schema.prisma describes:[\s\S]*nickname/) });
});

test('the status of a database names what is pending, edited, failed and unknown', async () => {
  const database = await postgres.createDatabase(template);
  await on(database, async (client) => {
    await client.query(`update _prisma_migrations set checksum = 'another' where migration_name = $1`, [FIRST]);
    await client.query(`insert into _prisma_migrations (id, checksum, migration_name) values ('1', 'x', '0099_half')`);
  });
  const checkout = planted((made) => made.write({ [`prisma/migrations/${next('more')}/migration.sql`]: 'select 1;\n' }));
  const { code, output } = await command(checkout, 'status', '--database', postgres.superuserUrl(database));
  expect(code).toBe(2);
  expect(output).toContain(`${FIRST}: text changed after it ran\n`);
  expect(output).toContain('0099_half: failed halfway\n');
  expect(output).toContain(`${next('more')}: not applied yet\n`);
  expect(output).toContain('0099_half: applied, but not in this checkout\n');
});

test('a new migration holds the difference with row security, and takes nothing away that Prisma does not know', async () => {
  const checkout = planted((made, schema) => made.write({ 'prisma/schema.prisma': `${schema}${MODEL}` }));
  expect(await command(checkout, 'diff')).toEqual({ code: 2, output: expect.stringContaining('CREATE TABLE "colours"') });
  expect(await command(checkout, 'new', 'colours')).toEqual({
    code: 0,
    output: expect.stringContaining(`Wrote prisma/migrations/${next('colours')}`),
  });
  const sql = readFileSync(join(checkout.root, `prisma/migrations/${next('colours')}/migration.sql`), 'utf8');
  expect(sql).toContain('CREATE TABLE "colours"');
  expect(sql).toContain('alter table colours force row level security;');
  expect(sql).not.toMatch(/drop/i);
  expect(await check(checkout)).toEqual({
    code: 1,
    output: `${next('colours')} is not sealed: when its text is final, run \`node_modules/.bin/node scripts/migrations.mjs seal\`\n${LATEST + 1} migrations, 1 findings\n`,
  });
  expect(await command(checkout, 'seal')).toMatchObject({ code: 0 });
  expect(await check(checkout)).toEqual({ code: 0, output: `${LATEST + 1} migrations, 0 findings\n` });
});

test('the tool refuses what it should not guess', async () => {
  const checkout = planted(() => undefined);
  const refusal = (says: string) => ({ code: 1, output: expect.stringContaining(says) });
  expect(await command(checkout)).toEqual(refusal('usage: scripts/migrations.mjs new | diff | status | seal'));
  expect(await command(checkout, 'new', 'nothing')).toEqual(refusal('already make what schema.prisma describes'));
  expect(await command(checkout, 'seal')).toEqual(refusal('Every migration is sealed already'));
  expect(await command(checkout, 'new', 'Bad-Name', '--empty')).toEqual(refusal('lower-case words'));
  expect(await command(checkout, 'new', 'by_hand', '--empty')).toMatchObject({ code: 0 });
  appendFileSync(join(checkout.root, `prisma/migrations/${FIRST}/migration.sql`), '-- edited\n');
  for (const name of ['diff', 'status', 'seal'])
    expect(await command(checkout, name)).toEqual(refusal('its text changed after it was sealed'));
});
