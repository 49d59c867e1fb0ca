import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { PartHash, Revision, ServerId } from '@patchbay/contracts';
import { createPostgresPorts, ensureRoles, migratePorts, ROLES, type Ports } from '@patchbay/ports';
import { testPostgres, type TestPostgres } from '@patchbay/testkit';
import { startPod } from '../src/snapshot/pod.fixture.ts';
import { makeFleet, uuid, type FakeOrganisation, type FakeToken, type Fleet } from '../src/snapshot/state.fixture.ts';

const passwords = { appPassword: 'app', portsPassword: 'ports' };
let postgres: TestPostgres;
let superuser: pg.Client;
let database: string;
let writer: Ports;
let fleet: Fleet;
let acme: FakeOrganisation;
let token: FakeToken;

const urlOf = (role: string, password: string): string => `postgres://${role}:${password}@127.0.0.1:${postgres.port}/${database}`;
const gatewayPorts = (): Ports => createPostgresPorts({ connectionString: urlOf(ROLES.ports, passwords.portsPassword) });

beforeAll(async () => {
  postgres = await testPostgres();
  database = await postgres.createDatabase();
  superuser = new pg.Client({ connectionString: postgres.superuserUrl(database) });
  await superuser.connect();
  await ensureRoles(superuser, passwords);
  await migratePorts(superuser);
  writer = createPostgresPorts({ connectionString: urlOf(ROLES.app, passwords.appPassword) });
});

afterAll(async () => {
  await Promise.all([writer?.close(), superuser?.end()]);
  await postgres?.stop();
});

beforeEach(async () => {
  fleet = await makeFleet();
  acme = fleet.addOrganisation(`acme-${uuid<string>().slice(0, 8)}`);
  acme.servers.push({ id: uuid<ServerId>(), slug: 'files', tools: ['read'] });
  token = fleet.addToken(acme);
  await publish();
});

/** One more revision, through the real stores and the real bus; the moment at which it was announced. */
async function publish(): Promise<number> {
  await fleet.publish(acme, { announce: false });
  const { manifests, parts, tokens, organisations } = fleet.stored;
  await writer.directory.putOrganisation(acme.slug, organisations.get(acme.slug) ?? '');
  const entries = [...acme.tokens.keys()].map((tokenHash) => ({ tokenHash, jws: tokens.get(tokenHash) ?? '' }));
  await writer.directory.putTokens(acme.id, acme.revision as Revision, entries);
  await writer.parts.putParts(
    acme.id,
    [...parts].map(([hash, bytes]) => ({ hash: hash as PartHash, bytes })),
  );
  await writer.parts.putManifest(acme.id, { epoch: 1, revision: acme.revision as Revision }, manifests.get(acme.id) ?? '');
  const { id: organisationId, epoch, revision, invalidations } = acme;
  await writer.bus.publish('revisions', await fleet.sign('announcement', { organisationId, epoch, revision, invalidations }));
  return performance.now();
}

/** Ends every connection of the gateway's role, and lets it make none. */
async function takePostgresAway(): Promise<void> {
  await superuser.query(`alter role ${ROLES.ports} nologin`);
  await superuser.query('select pg_terminate_backend(pid) from pg_stat_activity where usename = $1', [ROLES.ports]);
}

const bringPostgresBack = (): Promise<unknown> => superuser.query(`alter role ${ROLES.ports} login`);

describe('on real Postgres ports, as the role that may only read', () => {
  test('a change and a revocation are in force within 250 ms of their announcement', async () => {
    const ports = gatewayPorts();
    fleet.away.controlPlane = true;
    const pod = await startPod(fleet, { ports });
    expect(typeof (await pod.call(acme.slug, token.text))).toBe('object');
    acme.servers.push({ id: uuid<ServerId>(), slug: 'mail', tools: ['send'] });
    fleet.revoke(acme, token);
    const announcedAt = await publish();
    await vi.waitFor(() => expect(pod.state.snapshots.current(acme.slug)?.exposedTools.has('mail_send')).toBe(true), {
      timeout: 1_000,
      interval: 1,
    });
    expect(await pod.call(acme.slug, token.text)).toBe('auth.invalid_token');
    const tookMs = performance.now() - announcedAt;
    process.stdout.write(`announced to in force: ${tookMs.toFixed(1)} ms\n`);
    expect(tookMs).toBeLessThan(250);
    await pod.state.stop();
    await ports.close();
  });

  test('Postgres goes away and comes back: calls go on, a restart serves from disk, what changed meanwhile is caught up with', async () => {
    const ports = gatewayPorts();
    fleet.away.controlPlane = true;
    const pod = await startPod(fleet, { ports });
    await pod.call(acme.slug, token.text);
    await takePostgresAway();
    expect(typeof (await pod.call(acme.slug, token.text))).toBe('object');
    await pod.state.stop();
    await ports.close();

    const portsAgain = gatewayPorts();
    const restarted = await startPod(fleet, { ports: portsAgain, home: pod.home });
    expect(typeof (await restarted.call(acme.slug, token.text))).toBe('object');
    expect(restarted.state.status().organisations[0]?.from).toBe('disk');
    expect(await restarted.call(acme.slug, fleet.addToken(acme).text)).toBe('auth.unavailable');

    await publish();
    await bringPostgresBack();
    await vi.waitFor(() => expect(restarted.state.status().organisations[0]).toMatchObject({ from: 'store', revision: 2 }), {
      timeout: 15_000,
    });
    await publish();
    await vi.waitFor(() => expect(restarted.state.snapshots.current(acme.slug)?.revision).toBe(3), { timeout: 1_000, interval: 5 });
    await restarted.state.stop();
    await portsAgain.close();
  });
});
