import { createHash, randomBytes } from 'node:crypto';
import type { OrganisationId, PartHash, Revision, TokenHash } from '@patchbay/contracts';
import { testPostgres, type TestPostgres } from '@patchbay/testkit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { freshId } from '../src/contract/make.ts';
import { createPostgresPorts, ensureRoles, migratePorts, ROLES, type Ports } from '../src/index.ts';
import { describePorts } from './support/describe-ports.ts';

const passwords = { appPassword: 'app password', portsPassword: `ports'"\\$password`, ownerPassword: 'owner' };
let postgres: TestPostgres;
let database: string;
let superuser: pg.Client;
let writer: Ports;
let reader: Ports;

function urlOf(role: string, password: string): string {
  return `postgres://${role}:${encodeURIComponent(password)}@127.0.0.1:${postgres.port}/${database}`;
}

async function asRole(role: string, password: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: urlOf(role, password) });
  await client.connect();
  onTestFinished(() => client.end());
  return client;
}

beforeAll(async () => {
  postgres = await testPostgres();
  database = await postgres.createDatabase();
  superuser = new pg.Client({ connectionString: postgres.superuserUrl(database) });
  await superuser.connect();
  await ensureRoles(superuser, passwords);
  await superuser.query(`alter database ${database} owner to ${ROLES.owner}`);
  const owner = new pg.Client({ connectionString: urlOf(ROLES.owner, passwords.ownerPassword) });
  await owner.connect();
  await migratePorts(owner);
  await owner.end();
  writer = createPostgresPorts({ connectionString: urlOf(ROLES.app, passwords.appPassword) });
  reader = createPostgresPorts({ connectionString: urlOf(ROLES.ports, passwords.portsPassword) });
});

afterAll(async () => {
  await Promise.all([writer?.close(), reader?.close(), superuser?.end()]);
  await postgres?.stop();
  process.stdout.write('port contracts ran on: Postgres\n');
});

async function cutListeners(): Promise<void> {
  await superuser.query(`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'patchbay-bus'`);
}

describePorts('Postgres', { writer: () => writer, reader: () => reader, cutListeners });

describe('the roles', () => {
  test('the gateway cannot write manifests, parts or the directory', async () => {
    const organisation = freshId<OrganisationId>();
    const bytes = randomBytes(8);
    const hash = createHash('sha256').update(bytes).digest('hex') as PartHash;
    const tokenHash = hash as string as TokenHash;
    const denied = /permission denied/;
    await expect(reader.parts.putParts(organisation, [{ hash, bytes }])).rejects.toThrow(denied);
    await expect(reader.parts.putManifest(organisation, { epoch: 1, revision: 1 as Revision }, 'forged')).rejects.toThrow(denied);
    await expect(reader.parts.collectGarbage(organisation, [], 0)).rejects.toThrow(denied);
    await expect(reader.directory.putTokens(organisation, 1 as Revision, [{ tokenHash, jws: 'forged' }])).rejects.toThrow(denied);
    await expect(reader.directory.putTokens(organisation, 1 as Revision, [])).rejects.toThrow(denied);
    await expect(reader.directory.putOrganisation('forged', 'forged')).rejects.toThrow(denied);
    const client = await asRole(ROLES.ports, passwords.portsPassword);
    for (const table of ['manifests', 'parts', 'directory_tokens', 'directory_revisions', 'directory_organisations']) {
      for (const attempt of [`delete from ports.${table}`, `truncate ports.${table}`, `drop table ports.${table}`]) {
        await expect(client.query(attempt), attempt).rejects.toThrow(/permission denied|must be owner/);
      }
    }
  });

  test('the gateway reads no table outside its own, makes nothing and becomes nobody else', async () => {
    await superuser.query('create table if not exists public.truth (secret text)');
    const client = await asRole(ROLES.ports, passwords.portsPassword);
    const attempts = [
      'select * from public.truth',
      'select * from pg_authid',
      'create table public.own (a int)',
      'create table ports.own (a int)',
      'create temporary table own (a int)',
      'create schema own',
      'create role own',
      `set role ${ROLES.app}`,
      `set role ${ROLES.owner}`,
      `copy (select 1) to program 'true'`,
      `select pg_read_file('postgresql.conf')`,
    ];
    for (const attempt of attempts) await expect(client.query(attempt), attempt).rejects.toThrow(/permission denied|must be/);
    const { rows } = await client.query(
      `select n.nspname || '.' || c.relname as name, has_table_privilege(c.oid, 'insert, update, delete') as writes from pg_class c
       join pg_namespace n on n.oid = c.relnamespace
       where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
       and has_table_privilege(c.oid, 'select, insert, update, delete, truncate, references, trigger') order by 1`,
    );
    expect(rows).toEqual([
      { name: 'ports.counter_slices', writes: true },
      { name: 'ports.counter_slots', writes: true },
      { name: 'ports.directory_organisations', writes: false },
      { name: 'ports.directory_revisions', writes: false },
      { name: 'ports.directory_tokens', writes: false },
      { name: 'ports.manifests', writes: false },
      { name: 'ports.parts', writes: false },
      { name: 'ports.shared_store', writes: true },
    ]);
  });

  test('neither program role is superuser, sees past row security or owns anything', async () => {
    const { rows } = await superuser.query(
      `select rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb,
       (select count(*)::int from pg_class where relowner = r.oid) as owned from pg_roles r where rolname = any($1) order by 1`,
      [[ROLES.app, ROLES.ports]],
    );
    const powerless = { rolsuper: false, rolbypassrls: false, rolcreaterole: false, rolcreatedb: false, owned: 0 };
    expect(rows).toEqual([ROLES.app, ROLES.ports].map((rolname) => ({ rolname, ...powerless })));
  });

  test('making them again takes back powers and passwords that somebody gave meanwhile', async () => {
    await superuser.query(`alter role ${ROLES.ports} createdb bypassrls password 'another'`);
    await ensureRoles(superuser, passwords);
    const { rows } = await superuser.query('select rolcreatedb, rolbypassrls from pg_roles where rolname = $1', [ROLES.ports]);
    expect(rows).toEqual([{ rolcreatedb: false, rolbypassrls: false }]);
    const client = await asRole(ROLES.ports, passwords.portsPassword);
    expect((await client.query('select current_user as name')).rows).toEqual([{ name: ROLES.ports }]);
  });
});

describe('the schema', () => {
  test('migrating again keeps what is stored', async () => {
    const organisation = freshId<OrganisationId>();
    await writer.parts.putManifest(organisation, { epoch: 1, revision: 1 as Revision }, 'kept');
    await migratePorts(await asRole(ROLES.owner, passwords.ownerPassword));
    expect(await reader.parts.getManifest(organisation)).toBe('kept');
  });

  test('two programs that migrate at one time both succeed', async () => {
    const owners = await Promise.all([1, 2, 3].map(() => asRole(ROLES.owner, passwords.ownerPassword)));
    await superuser.query('comment on schema ports is null');
    await Promise.all(owners.map(migratePorts));
    const { rows } = await superuser.query('select count(*)::int as manifests from ports.manifests');
    expect(rows).toEqual([{ manifests: 0 }]);
  });
});

describe('expired tokens', () => {
  test('are counted as they are removed', async () => {
    const tokenHash = randomBytes(32).toString('hex') as TokenHash;
    await writer.directory.putTokens(freshId(), 1 as Revision, [{ tokenHash, jws: 'expired', expiresAtMs: Date.now() - 60_000 }]);
    expect(await writer.directory.removeExpiredTokens()).toBe(1);
  });
});

describe('a crash of Postgres', () => {
  test('the bus comes back, calls work again, and it is seen that the store was emptied', async () => {
    const own = await testPostgres();
    onTestFinished(() => own.stop());
    const admin = new pg.Client({ connectionString: own.superuserUrl('postgres') });
    admin.on('error', () => undefined);
    await admin.connect();
    // The test server does not wait for the disk; what this test loses in the crash is the unlogged tables' rows alone.
    await admin.query('set synchronous_commit to on');
    await ensureRoles(admin, passwords);
    await migratePorts(admin);
    const ports = createPostgresPorts({ connectionString: own.superuserUrl('postgres') });
    onTestFinished(() => ports.close());
    const messages: string[] = [];
    let gaps = 0;
    await ports.bus.subscribe('revisions', { onMessage: (message) => messages.push(message), onGap: () => (gaps += 1) });
    const organisation = freshId<OrganisationId>();
    await ports.parts.putManifest(organisation, { epoch: 1, revision: 1 as Revision }, 'm');
    expect((await ports.parts.getPositions([organisation])).size).toBe(1);
    const { rows } = await admin.query<{ pid: number }>('select pg_backend_pid() as pid');
    // Postgres answers the violent death of one worker by ending all of them and recovering.
    process.kill(rows[0]?.pid ?? 0, 'SIGKILL');
    await vi.waitFor(() => expect(gaps).toBe(2), 10_000);
    expect((await ports.parts.getPositions([organisation])).size).toBe(0);
    await ports.bus.publish('revisions', 'again');
    await vi.waitFor(() => expect(messages).toEqual(['again']));
  });
});

describe('without Postgres', () => {
  test('a bus can be subscribed to while Postgres is away, hears nothing, and says what was wrong', async () => {
    const errors: unknown[] = [];
    const ports = createPostgresPorts({
      connectionString: 'postgres://nobody:none@127.0.0.1:1/none',
      onError: (error) => errors.push(error),
    });
    let gaps = 0;
    await ports.bus.subscribe('revisions', { onMessage: () => undefined, onGap: () => (gaps += 1) });
    await vi.waitFor(() => expect(errors.length).toBeGreaterThan(1), 3_000);
    await expect(ports.parts.getManifest(freshId<OrganisationId>())).rejects.toThrow(/ECONNREFUSED/);
    await expect(ports.bus.publish('revisions', 'lost')).rejects.toThrow(/ECONNREFUSED/);
    expect(gaps).toBe(0);
    await ports.close();
  });
});
