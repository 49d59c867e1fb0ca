import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { INTERNAL_PATHS, PODS, Rollout, type OrganisationId, type PodReport, type Revision } from '@patchbay/contracts';
import { createPostgresPorts, type Ports } from '@patchbay/ports';
import { authenticateMessage, messageKey, Secret } from '@patchbay/vault';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Installation, until } from './support/installation.ts';

let installation: Installation;
let ports: Ports;
let organisation: OrganisationId;
let key: ReturnType<typeof messageKey>;
let startedAtMs: number;

beforeAll(async () => {
  installation = await Installation.start();
  startedAtMs = Date.now();
  ports = createPostgresPorts({
    connectionString: `postgres://patchbay_ports:ports@127.0.0.1:${installation.postgres.port}/${installation.database}`,
  });
  organisation = (await installation.internal(INTERNAL_PATHS.revisions)).body.organisations[0].organisationId;
  key = messageKey(new Secret(readFileSync(`${installation.home}/keys/gateway.secret`, 'utf8')), PODS.keyPurpose);
});

afterAll(async () => {
  await ports.close();
  await installation.stop();
});

type Said = { readonly state?: PodReport['state']; readonly under?: typeof key; readonly sequence?: number };

/** A gateway as far as control planes can see. */
class FakePod {
  readonly podId = randomUUID();
  #sequence = 0;

  say(revision: number | null, { state = 'ready', under = key, sequence = (this.#sequence += 1) }: Said = {}): string {
    const positions: PodReport['positions'] = revision === null ? [] : [[organisation, 1, revision as Revision, 1]];
    const times = { startedAtMs: Date.now(), sentAtMs: Date.now(), stalenessBudgetMs: 20_000, comparedMsAgo: 0 };
    const said = { format: 1, podId: this.podId, sequence, state, report: { first: sequence, count: 1 }, positions, ...times };
    return authenticateMessage(under, JSON.stringify(said));
  }

  onBus(...said: Parameters<FakePod['say']>): Promise<void> {
    return ports.bus.publish('pods', this.say(...said));
  }

  post(...said: Parameters<FakePod['say']>): Promise<void> {
    return this.postAsIs(this.say(...said));
  }

  async postAsIs(message: string): Promise<void> {
    const answer = await installation.internal(INTERNAL_PATHS.podReports, { method: 'POST', body: { messages: [message] } });
    expect(answer.status).toBe(204);
  }
}

const rollout = async (revision?: number): Promise<Rollout> => {
  const answer = await installation.api('GET', `/rollout${revision === undefined ? '' : `?revision=${revision}`}`);
  expect(answer.status).toBe(200);
  return Rollout.parse(answer.body);
};

const knowing = async (): Promise<void> => {
  await new Promise((done) => setTimeout(done, Math.max(0, startedAtMs + PODS.compareEveryMs + 2_500 - Date.now())));
};

test('a write names the revision it made, a read names none, and a revision that does not exist is refused', async () => {
  const before = (await rollout()).newest;
  const written = await installation.api('PATCH', '/servers/memory', { description: 'told by header' });
  expect(written.headers.get('patchbay-revision')).toBe(String(before + 1));
  expect((await installation.api('GET', '/servers/memory')).headers.has('patchbay-revision')).toBe(false);
  expect((await rollout(before + 1)).revision).toBe(before + 1);
  expect((await installation.api('GET', `/rollout?revision=${before + 2}`)).status).toBe(400);
});

test('a control plane that has just started claims nothing; later a revision is confirmed once every pod has acknowledged it', async () => {
  expect(await rollout()).toMatchObject({ confirmedAt: null, waitingFor: 'knowing-who-is-there' });
  const [one, two] = [new FakePod(), new FakePod()];
  const { newest } = await rollout();
  await one.onBus(newest - 1);
  await two.post(newest);
  await knowing();
  await Promise.all([one.onBus(newest - 1), two.onBus(newest)]);
  await until(async () => (await rollout()).pods.length === 2, 'both pods');
  expect(await rollout()).toMatchObject({ confirmedAt: null, waitingFor: 'pods', notHeardFrom: [] });
  await one.onBus(newest);
  const { confirmedAt } = await until(async () => {
    const now = await rollout();
    return now.confirmedAt !== null && now;
  }, 'the confirmation');
  expect(Math.abs(Date.parse(confirmedAt ?? '') - Date.now())).toBeLessThan(5_000);
  await Promise.all([one.onBus(newest, { state: 'leaving' }), two.post(newest, { state: 'leaving' })]);
  await until(async () => (await rollout()).pods.length === 0, 'both to have left');
});

test('what an attacker writes on the bus confirms nothing: forged, replayed and delayed messages', async () => {
  await knowing();
  const pod = new FakePod();
  const { newest } = await rollout();
  const next = newest + 1;
  const old = pod.say(newest);
  await ports.bus.publish('pods', old);
  await until(async () => (await rollout()).pods.some(({ id }) => id === pod.podId), 'the pod');
  await installation.api('PATCH', '/servers/memory', { description: 'attacked' });
  await pod.onBus(next, { under: messageKey(new Secret('a guess'), PODS.keyPurpose), sequence: 99 });
  await ports.bus.publish('pods', old);
  await ports.bus.publish('pods', 'nothing of ours');
  await ports.bus.publish('pods', authenticateMessage(key, '{"format":1}'));
  await new Promise((done) => setTimeout(done, 100));
  expect(await rollout(next)).toMatchObject({ confirmedAt: null, waitingFor: 'pods' });
  await pod.onBus(next, { state: 'leaving' });
  await until(async () => (await rollout()).pods.length === 0, 'it to have left');
});

test('a pod that a control plane heard before it was killed is missed by the next one, which says when that pod refuses by itself', async () => {
  const pod = new FakePod();
  const { newest } = await rollout();
  const heardAtMs = Date.now();
  await pod.post(newest);
  await installation.kill('SIGKILL');
  await installation.up();
  startedAtMs = Date.now();
  await knowing();
  const missed = await rollout();
  expect(missed).toMatchObject({ confirmedAt: null, waitingFor: 'pods-not-heard-from', notHeardFrom: [pod.podId] });
  expect(Math.abs(Date.parse(missed.guaranteedBy ?? '') - (heardAtMs + 20_000))).toBeLessThan(2_000);
  await new Promise((done) => setTimeout(done, heardAtMs + 21_000 - Date.now()));
  expect(await rollout()).toMatchObject({ confirmedAt: expect.any(String), notHeardFrom: [], pods: [] });
});

test('a pod that said goodbye is missed by no successor, whichever way its last message came first', async () => {
  const sql = await installation.sql();
  const remembered = async (pod: FakePod): Promise<number> =>
    (await sql.query('select from pods where id = $1', [pod.podId])).rowCount ?? 0;
  const pod = new FakePod();
  const { newest } = await rollout();
  await pod.post(newest);
  expect(await remembered(pod)).toBe(1);
  const last = pod.say(null, { state: 'leaving' });
  await ports.bus.publish('pods', last);
  await until(async () => !(await rollout()).pods.some(({ id }) => id === pod.podId), 'it to have left');
  await pod.postAsIs(last);
  expect(await remembered(pod)).toBe(0);
  await sql.end();
});

test('strangers are told nothing, and nothing is taken from them', async () => {
  expect((await installation.call('GET', '/api/v1/orgs/default/rollout')).status).toBe(401);
  const body = { messages: [new FakePod().say(1)] };
  expect((await installation.internal(INTERNAL_PATHS.podReports, { as: 'stdioHostSecret', method: 'POST', body })).status).toBe(401);
});
