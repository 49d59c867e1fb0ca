import { createHash } from 'node:crypto';
import { createPostgresPorts, type Ports } from '@patchbay/ports';
import { hashToken } from '@patchbay/tokens';
import { ENV, type OrganisationId, type PartHash } from '@patchbay/contracts';
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Installation, until } from './support/installation.ts';

let installation: Installation;
let ports: Ports;
let superuser: pg.Client;
let organisation: OrganisationId;

beforeAll(async () => {
  // Maintenance keeps the pace of scheduled discovery.
  installation = await Installation.start({ [ENV.discoveryEveryMs]: '1000' });
  superuser = await installation.sql();
  ports = createPostgresPorts({ connectionString: installation.postgres.superuserUrl(installation.database) });
  organisation = (await superuser.query<{ id: OrganisationId }>('select id from organisations')).rows[0]?.id ?? ('' as OrganisationId);
});

afterAll(async () => {
  await superuser.end();
  await ports.close();
  await installation.stop();
});

async function count(sql: string, values: unknown[] = []): Promise<number> {
  return (await superuser.query<{ count: number }>(`select count(*)::int as count ${sql}`, values)).rows[0]?.count ?? -1;
}

test('parts that no manifest names any more go after a quarter of an hour, and not before', async () => {
  const orphan = (text: string): { hash: PartHash; bytes: Buffer } => {
    const bytes = Buffer.from(text);
    return { hash: createHash('sha256').update(bytes).digest('hex') as PartHash, bytes };
  };
  const [old, recent] = [orphan('old'), orphan('recent')];
  await ports.parts.putParts(organisation, [old, recent]);
  const aged = `update ports.parts set stored_at = now() - $1::interval where hash = any($2)`;
  await superuser.query(aged, ['16 minutes', [old.hash]]);
  await superuser.query(aged, ['14 minutes', [recent.hash]]);
  const before = await count('from ports.parts');
  await installation.api('PATCH', '/servers/memory', { timeouts: { requestMs: 4321 } });
  await until(async () => (await count('from ports.parts where hash = $1', [old.hash])) === 0, 'the old part to go');
  expect(await count('from ports.parts where hash = $1', [recent.hash])).toBe(1);
  // The change added the server's new part; everything the manifest names is there.
  expect(await count('from ports.parts')).toBeGreaterThanOrEqual(before - 1);
});

test('told outbox rows go when no manifest repeats them; untold and recent ones stay', async () => {
  const [{ revision: last } = { revision: 0 }] = (
    await superuser.query<{ revision: number }>('select max(revision) as revision from outbox')
  ).rows;
  await until(async () => (await count('from outbox where published_at is null')) === 0, 'everything to be told');
  const insert = `insert into outbox (organisation_id, revision, invalidations, token_ids, created_at, published_at)
    values ($1, $2, '[]', '{}', now() - $3::interval, now() - $3::interval)`;
  await superuser.query(insert, [organisation, -1, '16 minutes']);
  await superuser.query(insert, [organisation, -2, '9 minutes']);
  await until(async () => (await count('from outbox where revision = -1')) === 0, 'the old row to go');
  expect(await count('from outbox where revision = -2')).toBe(1);
  expect(await count('from outbox where revision = $1', [last])).toBe(1);
});

test('sessions that ended go, the living one stays', async () => {
  const { adminEmail, adminPassword } = installation.first;
  const ended = await installation.signIn('default', adminEmail, adminPassword);
  await superuser.query(`update sessions set expires_at = now() - interval '1 second'`);
  const alive = await installation.signIn('default', adminEmail, adminPassword);
  await until(async () => (await count('from sessions where expires_at < now()')) === 0, 'the ended session to go');
  expect((await installation.call('GET', '/api/v1/session', { headers: alive })).status).toBe(200);
  expect((await installation.call('GET', '/api/v1/session', { headers: ended })).status).toBe(401);
});

test('the directory forgets a token once it would have expired, revoked or not, and the control plane still knows', async () => {
  const minted = (await installation.api('POST', '/tokens', { name: 'short' })).body;
  const tokenHash = hashToken(minted.token);
  await until(async () => (await ports.directory.getToken(organisation, tokenHash)).entry, 'the entry');
  await installation.api('DELETE', `/tokens/${minted.id}`);
  await new Promise((done) => setTimeout(done, 1_500));
  expect((await ports.directory.getToken(organisation, tokenHash)).entry).not.toBeNull();
  await superuser.query(`update ports.directory_tokens set expires_at = now() - interval '1 second' where token_hash = $1`, [tokenHash]);
  await until(async () => (await ports.directory.getToken(organisation, tokenHash)).entry === null, 'the entry to go');
  expect((await ports.directory.getToken(organisation, hashToken(installation.first.token))).entry).not.toBeNull();
  const answer = await installation.internal(`/internal/v1/orgs/${organisation}/tokens/${tokenHash}`);
  expect(answer.body.entry).not.toBeNull();
});

test('jobs that ended are not kept, whether they succeeded or failed', async () => {
  // A discovery that fails: nothing listens there.
  await installation.api('POST', '/servers', { kind: 'streamable-http', slug: 'away', url: 'http://127.0.0.1:9/mcp' });
  const { rows } = await superuser.query<{ id: string }>('select coalesce(max(id), 0)::text as id from bullmq.event');
  await until(async () => (await count('from bullmq.event where id > $1', [rows[0]?.id])) > 20, 'more jobs to run');
  expect(await count(`from bullmq.job where state in ('completed', 'failed')`)).toBe(0);
});
