import { beforeEach, describe, expect, test, vi } from 'vitest';
import { PodReport, type ServerId } from '@patchbay/contracts';
import { openMessage } from '@patchbay/vault';
import type { CallContext } from '../pipeline/context.ts';
import { DISK, type Files } from './files.ts';
import { startPod } from './pod.fixture.ts';
import { makeFleet, uuid, type FakeOrganisation, type FakeToken, type Fleet } from './state.fixture.ts';

const BUDGET_MS = 300_000;

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

const revisionOf = (outcome: string | CallContext): number | string =>
  typeof outcome === 'string' ? outcome : (outcome.snapshot?.revision ?? 'none');
const everythingIsAway = (): void => void Object.assign(fleet.away, { stores: true, controlPlane: true });
const everythingIsBack = (): void => void Object.assign(fleet.away, { stores: false, controlPlane: false });
const saidOfAcme = (): unknown[] =>
  fleet.reports.onBus
    .map((message) => PodReport.parse(JSON.parse(openMessage(fleet.podKey, message) ?? 'null')))
    .flatMap(({ positions }) => positions.filter(([id]) => id === acme.id).map(([, , revision, loaded]) => [revision, loaded]));

/** A disk that a kill takes from its process: what is written after it is lost. `full` refuses whatever is written. */
function killable() {
  const state = { killed: false, full: false, wait: async (): Promise<void> => undefined };
  const files: Files = {
    ...DISK,
    async writeAtomically(path, bytes) {
      await state.wait();
      if (state.killed) return new Promise(() => undefined);
      if (state.full) throw new Error('ENOSPC');
      return DISK.writeAtomically(path, bytes);
    },
    remove: async (path) => (state.killed ? new Promise(() => undefined) : DISK.remove(path)),
  };
  return { files, state };
}

describe('after an orderly end', () => {
  test('that control planes heard of, the next start serves nothing from disk before it has news: nobody waits for it any more', async () => {
    const pod = await startPod(fleet);
    await pod.call('acme', token.text);
    await pod.state.stop();
    await fleet.publish(acme);
    everythingIsAway();
    const restarted = await startPod(fleet, { home: pod.home });
    expect(restarted.state.status().ready).toBe(false);
    expect(await restarted.call('acme', token.text)).toBe('staleness.exceeded');
    everythingIsBack();
    await restarted.state.compare();
    await vi.waitFor(async () => expect(revisionOf(await restarted.call('acme', token.text))).toBe(2));
    await restarted.state.stop();
  });

  test('with stores and no control plane, the next start goes by the stores', async () => {
    const pod = await startPod(fleet);
    await pod.call('acme', token.text);
    await pod.state.stop();
    fleet.away.controlPlane = true;
    const restarted = await startPod(fleet, { home: pod.home });
    expect(revisionOf(await restarted.call('acme', token.text))).toBe(1);
    await restarted.state.stop();
  });

  test('that no control plane heard of, nothing is said, and the next start serves from disk for what is left of the budget', async () => {
    const pod = await startPod(fleet);
    await pod.call('acme', token.text);
    everythingIsAway();
    fleet.away.stores = false;
    await pod.state.stop();
    expect(fleet.reports.onBus.join()).not.toContain('leaving');
    fleet.away.stores = true;
    fleet.clock.now += BUDGET_MS - 10_000;
    const restarted = await startPod(fleet, { home: pod.home });
    expect(revisionOf(await restarted.call('acme', token.text))).toBe(1);
    fleet.clock.now += 11_000;
    expect(await restarted.call('acme', token.text)).toBe('staleness.exceeded');
    await restarted.state.stop();
  });

  test('that the disk does not take, nothing is said either', async () => {
    const { files, state } = killable();
    const pod = await startPod(fleet, { files });
    await pod.call('acme', token.text);
    state.full = true;
    await pod.state.stop();
    const states = [...fleet.reports.onBus, ...fleet.reports.posted].map((message) => openMessage(fleet.podKey, message) ?? '');
    expect(states.join()).not.toContain('leaving');
  });

  test('calls that still come are refused', async () => {
    const pod = await startPod(fleet);
    await pod.call('acme', token.text);
    await pod.state.stop();
    expect(await pod.call('acme', token.text)).toBe('staleness.exceeded');
  });
});

describe('news after the budget has passed', () => {
  test('does not bring an outdated organisation back before the newer revision is served, and one that is current at once', async () => {
    const other = fleet.addOrganisation('other');
    const otherToken = fleet.addToken(other);
    await fleet.publish(other);
    const pod = await startPod(fleet);
    await pod.call('acme', token.text);
    await pod.call('other', otherToken.text);
    everythingIsAway();
    fleet.clock.now += BUDGET_MS + 1_000;
    // Confirmed meanwhile: the silent pod was waited for until its budget had passed.
    acme.revision += 1;
    everythingIsBack();
    await pod.state.compare();
    expect(await pod.call('acme', token.text)).toBe('staleness.exceeded');
    expect(revisionOf(await pod.call('other', otherToken.text))).toBe(1);
    expect(pod.state.status().ready).toBe(true);
    acme.revision -= 1;
    await fleet.publish(acme);
    await vi.waitFor(async () => expect(revisionOf(await pod.call('acme', token.text))).toBe(2));
    await pod.state.stop();
  });

  test('nor after a restart with everything away', async () => {
    const pod = await startPod(fleet);
    await pod.call('acme', token.text);
    everythingIsAway();
    fleet.clock.now += BUDGET_MS + 1_000;
    acme.revision += 1;
    everythingIsBack();
    await pod.state.compare();
    everythingIsAway();
    await pod.state.stop();
    const restarted = await startPod(fleet, { home: pod.home });
    expect(await restarted.call('acme', token.text)).not.toBeTypeOf('object');
    await restarted.state.stop();
  });
});

describe('what a pod has said before it is killed', () => {
  test('of an organisation that it has on disk and not loaded holds for the next start', async () => {
    const pod = await startPod(fleet);
    await pod.call('acme', token.text);
    fleet.away.controlPlane = true;
    await pod.state.stop();
    fleet.away.controlPlane = false;
    const { files, state } = killable();
    const second = await startPod(fleet, { home: pod.home, files });
    await fleet.publish(acme);
    await vi.waitFor(() => expect(saidOfAcme()).toContainEqual([2, 0]));
    state.killed = true;
    everythingIsAway();
    const third = await startPod(fleet, { home: pod.home });
    expect(third.state.status().ready).toBe(true);
    expect(await third.call('acme', token.text)).toBe('auth.unavailable');
    await Promise.race([second.state.stop(), Promise.resolve()]);
    await third.state.stop();
  });

  test('of one that it serves holds too: it is not said before the disk has it', async () => {
    const { files, state } = killable();
    const pod = await startPod(fleet, { files });
    await pod.call('acme', token.text);
    await vi.waitFor(() => expect(saidOfAcme()).toContainEqual([1, 1]));
    let go = (): void => undefined;
    const written = new Promise<void>((resolve) => (go = resolve));
    state.wait = () => written;
    await fleet.publish(acme);
    await vi.waitFor(async () => expect(revisionOf(await pod.call('acme', token.text))).toBe(2));
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(saidOfAcme()).not.toContainEqual([2, 1]);
    go();
    await vi.waitFor(() => expect(saidOfAcme()).toContainEqual([2, 1]));
    await pod.state.stop();
  });

  test('on a full disk: what is outdated there is removed, and then it is said', async () => {
    const { files, state } = killable();
    const pod = await startPod(fleet, { files });
    await pod.call('acme', token.text);
    await vi.waitFor(() => expect(saidOfAcme()).toContainEqual([1, 1]));
    state.full = true;
    await fleet.publish(acme);
    await vi.waitFor(() => expect(saidOfAcme()).toContainEqual([2, 1]));
    everythingIsAway();
    const restarted = await startPod(fleet, { home: pod.home });
    expect(await restarted.call('acme', token.text)).toBe('auth.unavailable');
    await pod.state.stop();
    await restarted.state.stop();
  });
});

describe('while no control plane answers, the stores', () => {
  test.each([
    ['that once heard one', false],
    ['that started without one', true],
  ])('keep a pod serving %s; when they are away too the budget runs', async (_which, startsAlone) => {
    fleet.away.controlPlane = startsAlone;
    const pod = await startPod(fleet);
    await pod.call('acme', token.text);
    fleet.away.controlPlane = true;
    for (let hour = 0; hour < 3; hour += 1) {
      fleet.clock.now += BUDGET_MS - 10_000;
      await pod.state.compare();
      fleet.clock.now += 11_000;
      expect(revisionOf(await pod.call('acme', token.text))).toBe(1);
    }
    expect(pod.state.status().ready).toBe(true);
    fleet.away.stores = true;
    fleet.clock.now += BUDGET_MS;
    await pod.state.compare();
    expect(await pod.call('acme', token.text)).toBe('staleness.exceeded');
    expect(pod.state.status().ready).toBe(false);
    await pod.state.stop();
  });

  test('bring what is newer, and nothing older keeps an organisation serving', async () => {
    const pod = await startPod(fleet);
    await pod.call('acme', token.text);
    fleet.away.controlPlane = true;
    const old = await fleet.deps.ports.parts.getManifest(acme.id);
    await fleet.publish(acme);
    await pod.state.compare();
    await vi.waitFor(() => expect(pod.state.snapshots.current('acme')?.revision).toBe(2));
    const { parts } = fleet.deps.ports;
    parts.getManifest = async () => old;
    fleet.clock.now += BUDGET_MS + 1_000;
    await pod.state.compare();
    expect(await pod.call('acme', token.text)).toBe('staleness.exceeded');
    await pod.state.stop();
  });

  test('are remembered: with all away after that, a restart serves for what is left of the budget since they were read', async () => {
    const pod = await startPod(fleet);
    await pod.call('acme', token.text);
    fleet.away.controlPlane = true;
    fleet.clock.now += BUDGET_MS + 1_000;
    await pod.state.compare();
    fleet.away.stores = true;
    await pod.state.stop();
    fleet.clock.now += BUDGET_MS - 10_000;
    const restarted = await startPod(fleet, { home: pod.home });
    expect(revisionOf(await restarted.call('acme', token.text))).toBe(1);
    fleet.clock.now += 11_000;
    expect(await restarted.call('acme', token.text)).toBe('staleness.exceeded');
    await restarted.state.stop();
  });
});

describe('while the stores hang', () => {
  test('a change is had from a control plane within seconds, and the next comparison does not wait for more', async () => {
    const pod = await startPod(fleet);
    await pod.call('acme', token.text);
    acme.servers.push({ id: uuid<ServerId>(), slug: 'later', tools: ['read'] });
    await fleet.publish(acme, { announce: false });
    const { parts } = fleet.deps.ports;
    const hangs = (): Promise<never> => new Promise(() => undefined);
    Object.assign(parts, { getManifest: hangs, getParts: hangs });
    const beganAt = performance.now();
    await pod.state.compare();
    expect(performance.now() - beganAt).toBeLessThan(1_000);
    await vi.waitFor(() => expect(pod.state.snapshots.current('acme')?.revision).toBe(2), { timeout: 5_000 });
    fleet.away.controlPlane = true;
    acme.revision += 1;
    const waitedFrom = performance.now();
    await pod.state.compare();
    expect(performance.now() - waitedFrom).toBeLessThan(5_000);
    await pod.state.stop();
  }, 20_000);
});

describe('no news is', () => {
  test('an announcement, however new', async () => {
    const pod = await startPod(fleet);
    await pod.call('acme', token.text);
    fleet.away.controlPlane = true;
    fleet.clock.now += BUDGET_MS - 10_000;
    await fleet.publish(acme);
    await vi.waitFor(() => expect(pod.state.snapshots.current('acme')?.revision).toBe(2));
    fleet.clock.now += 11_000;
    expect(await pod.call('acme', token.text)).toBe('staleness.exceeded');
    await pod.state.stop();
  });

  test('the answer of a control plane that did not take the report', async () => {
    const { controlPlane } = fleet.deps;
    let isTaken = true;
    const pod = await startPod(fleet, {
      controlPlane: { ...controlPlane, report: async (messages) => isTaken && controlPlane.report(messages) },
    });
    await pod.call('acme', token.text);
    isTaken = false;
    fleet.clock.now += BUDGET_MS - 10_000;
    await pod.state.compare();
    fleet.clock.now += 11_000;
    await pod.state.compare();
    expect(await pod.call('acme', token.text), 'nor are the stores, which can be read').toBe('staleness.exceeded');
    await pod.state.stop();
  });

  test('the manifest of a control plane that neither took the report nor named what there is, while the stores hang', async () => {
    const { controlPlane } = fleet.deps;
    let isWhole = true;
    const pod = await startPod(fleet, {
      controlPlane: {
        ...controlPlane,
        report: async (messages) => isWhole && controlPlane.report(messages),
        revisions: async () => (isWhole ? controlPlane.revisions() : { kind: 'unreachable' }),
      },
    });
    await pod.call('acme', token.text);
    isWhole = false;
    fleet.away.stores = true;
    fleet.clock.now += BUDGET_MS + 1_000;
    await pod.state.compare();
    expect(await pod.call('acme', token.text)).toBe('staleness.exceeded');
    await pod.state.stop();
  });

  test('the stores, once a control plane has named a newer revision than they gave and it was not had within two seconds', async () => {
    fleet.away.controlPlane = true;
    const pod = await startPod(fleet);
    expect(revisionOf(await pod.call('acme', token.text))).toBe(1);
    acme.revision += 1;
    fleet.away.controlPlane = false;
    await pod.state.compare();
    expect(revisionOf(await pod.call('acme', token.text)), 'an outage that ends among changes refuses nobody').toBe(1);
    fleet.clock.now += 2_001;
    expect(await pod.call('acme', token.text)).toBe('staleness.exceeded');
    await pod.state.stop();
  });
});
