import { beforeEach, expect, test, vi } from 'vitest';
import { PodReport, type ServerId } from '@patchbay/contracts';
import { openMessage } from '@patchbay/vault';
import { startPod } from '../snapshot/pod.fixture.ts';
import { makeFleet, uuid, type FakeOrganisation, type FakeToken, type Fleet } from '../snapshot/state.fixture.ts';

let fleet: Fleet;
let acme: FakeOrganisation;
let token: FakeToken;

beforeEach(async () => {
  fleet = await makeFleet();
  acme = fleet.addOrganisation('acme');
  acme.servers.push({ id: uuid<ServerId>(), slug: 'files', tools: ['read'] });
  token = fleet.addToken(acme);
  await fleet.publish(acme);
});

const read = (messages: readonly string[]): PodReport[] =>
  messages.map((message) => PodReport.parse(JSON.parse(openMessage(fleet.podKey, message) ?? 'null')));
const onBus = (): PodReport[] => read(fleet.reports.onBus);
const saidOf = (organisation: FakeOrganisation): unknown[] =>
  onBus().flatMap(({ positions }) =>
    positions.filter(([id]) => id === organisation.id).map(([, , revision, loaded]) => [revision, loaded]),
  );

test('a pod says that it is there before it asks for positions, and again when it ends', async () => {
  const pod = await startPod(fleet);
  expect(read(fleet.reports.posted)[0]).toMatchObject({
    sequence: 1,
    comparedMsAgo: null,
    state: 'not-ready',
    report: { first: 1, count: 1 },
  });
  await pod.state.stop();
  expect(onBus().at(-1)).toMatchObject({ state: 'leaving' });
  expect(read(fleet.reports.posted).at(-1)).toMatchObject({ state: 'leaving' });
});

test('each message has a higher sequence than the one before, whichever way it went', async () => {
  const pod = await startPod(fleet);
  await pod.call('acme', token.text);
  await fleet.publish(acme);
  await pod.state.compare();
  await pod.state.stop();
  const ways = [onBus(), read(fleet.reports.posted)].map((reports) => reports.map(({ sequence }) => sequence));
  for (const sequences of ways) expect(sequences).toEqual(sequences.toSorted((a, b) => a - b));
  // The last word goes both ways.
  const all = ways.flat();
  expect(new Set(all).size).toBe(all.length - 1);
});

test('a swap is acknowledged at once, and never before it', async () => {
  const pod = await startPod(fleet);
  await pod.call('acme', token.text);
  await vi.waitFor(() => expect(saidOf(acme)).toContainEqual([1, 1]));
  acme.revision += 1;
  await fleet.announceNow(acme);
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(saidOf(acme)).not.toContainEqual([2, 1]);
  acme.revision -= 1;
  await fleet.publish(acme, { announce: false });
  await vi.waitFor(() => expect(saidOf(acme)).toContainEqual([2, 1]), { timeout: 1_000, interval: 2 });
  expect(pod.state.snapshots.current('acme')?.revision).toBe(2);
  await pod.state.stop();
});

test('a revision that is refused is not acknowledged', async () => {
  const pod = await startPod(fleet);
  await pod.call('acme', token.text);
  acme.servers.push({ id: uuid<ServerId>(), slug: 'files', tools: [] });
  await fleet.publish(acme);
  await vi.waitFor(() => expect(pod.state.counters.refused.part_malformed).toBeGreaterThan(0));
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(saidOf(acme)).not.toContainEqual([2, 1]);
  await pod.state.stop();
});

test('of an organisation that is not loaded, a pod says that it will load nothing below what was announced, and does not', async () => {
  const pod = await startPod(fleet);
  const older = fleet.stored.manifests.get(acme.id) ?? '';
  await fleet.publish(acme);
  await vi.waitFor(() => expect(saidOf(acme)).toContainEqual([2, 0]));
  fleet.stored.manifests.set(acme.id, older);
  fleet.away.controlPlane = true;
  expect(await pod.call('acme', token.text)).toBe('auth.unavailable');
  // Loading is tried a few times; it is refused each time.
  expect(pod.state.counters.refused.rollback).toBeGreaterThan(0);
  await pod.state.stop();
});

test('nor below what the control plane says when the organisation is asked for', async () => {
  const older = fleet.stored.manifests.get(acme.id) ?? '';
  const pod = await startPod(fleet);
  await fleet.publish(acme, { announce: false });
  fleet.stored.manifests.set(acme.id, older);
  expect(await pod.call('acme', token.text)).toBe('auth.unavailable');
  await pod.state.stop();
});

test('a draining pod says so at once', async () => {
  const pod = await startPod(fleet);
  pod.state.drain();
  await vi.waitFor(() => expect(onBus().at(-1)).toMatchObject({ state: 'draining' }), { timeout: 100 });
  await pod.state.stop();
});

test('with the bus away the control plane hears of it all the same, and the pod goes on', async () => {
  fleet.away.stores = true;
  const pod = await startPod(fleet);
  await pod.call('acme', token.text);
  // Once it is on disk.
  await vi.waitFor(async () => {
    await pod.state.compare();
    expect(read(fleet.reports.posted).at(-1)).toMatchObject({ positions: [[acme.id, 1, 1, 1]], comparedMsAgo: 0 });
  });
  expect(fleet.reports.onBus).toEqual([]);
  await pod.state.stop();
});
