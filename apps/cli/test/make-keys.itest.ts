import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { testPostgres, type TestPostgres } from '@patchbay/testkit';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeKeys } from '../src/make-keys.ts';

let postgres: TestPostgres;
const folder = mkdtempSync(join(tmpdir(), 'patchbay-make-keys-'));

beforeAll(async () => {
  postgres = await testPostgres();
});
afterAll(async () => {
  await postgres.stop();
  rmSync(folder, { recursive: true });
});

async function asSuperuser<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: postgres.superuserUrl('postgres') });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

async function adminWith(name: string, powers: string): Promise<string> {
  await asSuperuser((client) => client.query(`create role ${name} login createrole createdb ${powers} password 'admin'`));
  return `postgres://${name}:admin@127.0.0.1:${postgres.port}/postgres`;
}

test('an admin who may make roles but bypasses nothing is told what is missing, and nothing is left behind', async () => {
  const adminUrl = await adminWith('weak_admin', '');
  await expect(makeKeys({ folder: join(folder, 'weak'), adminUrl })).rejects.toThrow(
    /neither SUPERUSER nor BYPASSRLS.*create role patchbay_owner/,
  );
  const { rows } = await asSuperuser((client) => client.query(`select 1 from pg_roles where rolname like 'patchbay%'`));
  expect(rows).toEqual([]);
});

test('an admin who is no superuser makes roles, database and URLs that work; again, nothing changes', async () => {
  const adminUrl = await adminWith('cloud_admin', 'bypassrls');
  const urls = await makeKeys({ folder: join(folder, 'keys'), adminUrl });
  const read = (): string[] => urls.map((path) => readFileSync(path, 'utf8').trim());
  const first = read();
  for (const path of urls) expect(statSync(path).mode & 0o777).toBe(0o600);
  await makeKeys({ folder: join(folder, 'keys'), adminUrl });
  expect(read()).toEqual(first);
  const [owner] = first;
  const client = new pg.Client({ connectionString: owner });
  await client.connect();
  const { rows } = await client.query(
    `select rolbypassrls, rolsuper, pg_has_role('cloud_admin', 'patchbay_owner', 'set') as "becomesOwner",
      (select pg_get_userbyid(datdba) from pg_database where datname = current_database()) as owns from pg_roles where rolname = current_user`,
  );
  await client.end();
  expect(rows).toEqual([{ rolbypassrls: true, rolsuper: false, becomesOwner: false, owns: 'patchbay_owner' }]);
});
