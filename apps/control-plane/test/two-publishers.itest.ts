import { createPrivateKey, createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Announcement, INTERNAL_PATHS, Manifest } from '@patchbay/contracts';
import { createPostgresPorts, type Ports } from '@patchbay/ports';
import { compactVerify } from 'jose';
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Installation, until } from './support/installation.ts';

/** Of the publisher: how often it looks for what nobody told it of. */
const POLL_MS = 3_000;
const CHANGES = 30;
const UNPUBLISHED = 'select count(*)::int as count from outbox where published_at is null';

let first: Installation;
let second: Installation;
let ports: Ports;
let sql: pg.Client;
let organisation: Manifest['organisationId'];
const heard: Announcement[] = [];

beforeAll(async () => {
  first = await Installation.start();
  second = await first.beside();
  ports = createPostgresPorts({
    connectionString: `postgres://patchbay_ports:ports@127.0.0.1:${first.postgres.port}/${first.database}`,
  });
  const onMessage = (message: string): void => {
    void open(message).then((document) => heard.push(Announcement.parse(document)));
  };
  await ports.bus.subscribe('revisions', { onMessage, onGap: () => undefined });
  sql = await first.sql();
  organisation = (await first.internal(INTERNAL_PATHS.revisions)).body.organisations[0].organisationId;
  // What a mark of an outbox row leaves behind, whoever sets it.
  await sql.query(`
    create schema watch;
    create table watch.marks (revision bigint not null);
    create function watch.mark() returns trigger language plpgsql security definer as
      'begin insert into watch.marks values (new.revision); return null; end';
    create trigger watch_mark after update of published_at on outbox for each row execute function watch.mark();
    create table watch.manifests (at bigserial, revision bigint not null);
    create function watch.manifest() returns trigger language plpgsql security definer as
      'begin insert into watch.manifests (revision) values (new.revision); return null; end';
    create trigger watch_manifest after insert or update on ports.manifests for each row execute function watch.manifest()`);
});

afterAll(async () => {
  await sql.end();
  await ports.close();
  await second.kill();
  await first.stop();
});

async function open(jws: string): Promise<unknown> {
  const key = createPublicKey(createPrivateKey(readFileSync(`${first.home}/keys/snapshot-signing.pem`)));
  return JSON.parse(Buffer.from((await compactVerify(jws, key, { algorithms: ['EdDSA'] })).payload).toString());
}

const revision = async (): Promise<number> => (await first.internal(INTERNAL_PATHS.revisions)).body.organisations[0].revision;

async function manifest(): Promise<Manifest> {
  return Manifest.parse(await open((await ports.parts.getManifest(organisation)) ?? ''));
}

const published = (): Promise<boolean> =>
  until(async () => (await sql.query<{ count: number }>(UNPUBLISHED)).rows[0]?.count === 0, 'the outbox to be empty');

test('two control planes publish one outbox: each change is marked once, no manifest goes back, nobody is told more often than asked', async () => {
  await published();
  const [from, startedAt, told] = [await revision(), performance.now(), heard.length];
  await sql.query('truncate watch.marks, watch.manifests');
  const change = (k: number): Promise<unknown> =>
    (k % 2 === 0 ? first : second).api('PATCH', '/servers/memory', { description: `change ${k}` });
  for (let k = 0; k < CHANGES; k += 3) await Promise.all([change(k), change(k + 1), change(k + 2)]);
  await published();
  const newest = await revision();
  expect(newest).toBe(from + CHANGES);
  expect((await manifest()).revision).toBe(newest);
  await until(async () => heard.some((announcement) => announcement.revision === newest), 'the announcement of the last');
  const { rows: marks } = await sql.query<{ revision: string }>('select revision from watch.marks order by revision');
  expect(marks.map((row) => Number(row.revision))).toEqual(Array.from({ length: CHANGES }, (_, k) => from + 1 + k));
  const stored = (await sql.query<{ revision: string }>('select revision from watch.manifests order by at')).rows.map((row) =>
    Number(row.revision),
  );
  expect(stored).toEqual([...stored].sort((a, b) => a - b));
  // Each change is told to one control plane, and each look for lost ones finds an organisation at most once.
  const looks = 2 * (Math.ceil((performance.now() - startedAt) / POLL_MS) + 1);
  const quietFrom = heard.length;
  expect(quietFrom - told).toBeLessThanOrEqual(CHANGES + looks);
  await new Promise((done) => setTimeout(done, POLL_MS + 1_000));
  expect(heard.length - told, 'nothing is told again').toBeLessThanOrEqual(CHANGES + looks);
});

test('what one committed and was killed before it published, the other publishes without a start or a change', async () => {
  const lock = await first.sql();
  await lock.query('begin');
  await lock.query('lock table ports.manifests in access exclusive mode');
  const made = await second.api('POST', '/servers', { kind: 'streamable-http', slug: 'orphan', url: 'http://127.0.0.1:9/mcp' });
  expect(made.status).toBe(201);
  const committed = Number(made.headers.get('patchbay-revision'));
  const waiting = `select count(*)::int as count from pg_locks where not granted and relation = 'ports.manifests'::regclass`;
  await until(async () => (await sql.query<{ count: number }>(waiting)).rows[0]?.count !== 0, 'the publisher at the locked table');
  await second.kill('SIGKILL');
  await sql.query(`select pg_terminate_backend(pid) from pg_locks where not granted and relation = 'ports.manifests'::regclass`);
  expect(heard.some((announcement) => announcement.revision >= committed)).toBe(false);
  await lock.query('rollback');
  await lock.end();
  await until(async () => heard.some((announcement) => announcement.revision >= committed), 'the announcement');
  expect((await manifest()).revision).toBeGreaterThanOrEqual(committed);
  await published();
  const { rows } = await sql.query('select 1 from watch.marks where revision = $1', [committed]);
  expect(rows).toHaveLength(1);
});
