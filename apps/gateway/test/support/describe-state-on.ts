import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { catalog, type ErrorCode } from '@patchbay/errors';
import type { PartHash, ServerId } from '@patchbay/contracts';
import type { Ports } from '@patchbay/ports';
import { startPod } from '../../src/snapshot/pod.fixture.ts';
import { makeFleet, uuid, type FakeOrganisation, type FakeToken, type Fleet } from '../../src/snapshot/state.fixture.ts';
import { publishTo } from './publish-to.ts';

/** Real stores, and the way to take them from gateways and to give them back with what they held. */
export type StateStores = {
  /** As the control plane. */
  readonly writer: Ports;
  /** As one more gateway. */
  gatewayPorts(): Ports;
  takeAway(): Promise<unknown>;
  bringBack(): Promise<unknown>;
  stop(): Promise<void>;
};

const BACK_MS = 15_000;
const NO_PART = '0'.repeat(64) as PartHash;

/** What a pod knows and enforces while stores and control planes come and go. */
export function describeStateOn(name: string, start: () => Promise<StateStores>): void {
  let stores: StateStores;
  let fleet: Fleet;
  let acme: FakeOrganisation;
  let token: FakeToken;
  let control: ReturnType<typeof publishTo>;

  beforeAll(async () => {
    stores = await start();
  });

  afterAll(() => stores?.stop());

  beforeEach(async () => {
    fleet = await makeFleet();
    control = publishTo(stores.writer, fleet);
    acme = fleet.addOrganisation(`acme-${uuid<string>().slice(0, 8)}`);
    acme.servers.push({ id: uuid<ServerId>(), slug: 'files', tools: ['read'] });
    token = fleet.addToken(acme);
    await control.publish(acme);
  });

  /** A pod with connections of its own; `stop` is its orderly end. */
  async function boot(home?: string) {
    const ports = stores.gatewayPorts();
    const pod = await startPod(fleet, home === undefined ? { ports } : { ports, home });
    let isStopped = false;
    const stop = async (): Promise<void> => {
      if (isStopped) return;
      isStopped = true;
      await pod.state.stop();
      await ports.close();
    };
    onTestFinished(stop);
    return { ...pod, stop };
  }

  const statusOf = (outcome: unknown): number => catalog[outcome as ErrorCode].http;

  /** Takes the stores away; they are back for the next test whatever happens in this one. */
  async function takeStoresAway(): Promise<() => Promise<void>> {
    let isBack = false;
    const bringBack = async (): Promise<void> => {
      if (isBack) return;
      isBack = true;
      await stores.bringBack();
      const { directory, parts } = stores.writer;
      await vi.waitFor(() => Promise.all([directory.getOrganisation(acme.slug), parts.getParts(acme.id, [NO_PART])]), { timeout: BACK_MS });
    };
    onTestFinished(bringBack);
    await stores.takeAway();
    return bringBack;
  }

  describe(`on ${name}, as the user that may only read, without a control plane`, () => {
    beforeEach(() => {
      fleet.away.controlPlane = true;
    });

    test('a change and a revocation are in force within 250 ms of their announcement', async () => {
      const pod = await boot();
      expect(typeof (await pod.call(acme.slug, token.text))).toBe('object');
      acme.servers.push({ id: uuid<ServerId>(), slug: 'mail', tools: ['send'] });
      fleet.revoke(acme, token);
      const announcedAt = await control.publish(acme);
      await vi.waitFor(() => expect(pod.state.snapshots.current(acme.slug)?.exposedTools.has('mail_send')).toBe(true), {
        timeout: 1_000,
        interval: 1,
      });
      expect(await pod.call(acme.slug, token.text)).toBe('auth.invalid_token');
      const tookMs = performance.now() - announcedAt;
      process.stdout.write(`announced to in force on ${name}: ${tookMs.toFixed(1)} ms\n`);
      expect(tookMs).toBeLessThan(250);
    });

    test('the stores go away and come back: calls go on, a restart serves from disk, what changed meanwhile is caught up with', async () => {
      const pod = await boot();
      await pod.call(acme.slug, token.text);
      const bringBack = await takeStoresAway();
      expect(typeof (await pod.call(acme.slug, token.text))).toBe('object');
      await pod.stop();

      const restarted = await boot(pod.home);
      expect(typeof (await restarted.call(acme.slug, token.text))).toBe('object');
      expect(restarted.state.status().organisations[0]?.from).toBe('disk');
      expect(await restarted.call(acme.slug, fleet.addToken(acme).text)).toBe('auth.unavailable');

      await bringBack();
      // Nobody tells the pod.
      await fleet.publish(acme, { announce: false });
      await control.store(acme);
      await vi.waitFor(() => expect(restarted.state.status().organisations[0]).toMatchObject({ from: 'store', revision: 2 }), {
        timeout: BACK_MS,
      });
      await control.publish(acme);
      await vi.waitFor(() => expect(restarted.state.snapshots.current(acme.slug)?.revision).toBe(3), { timeout: 1_000, interval: 5 });
    });

    test('from disk a pod serves for the staleness budget, and not a moment longer', async () => {
      const pod = await boot();
      await pod.call(acme.slug, token.text);
      await pod.stop();
      await takeStoresAway();
      fleet.clock.now += 290_000;
      const restarted = await boot(pod.home);
      expect(restarted.state.status()).toMatchObject({ ready: true });
      expect(typeof (await restarted.call(acme.slug, token.text))).toBe('object');
      fleet.clock.now += 11_000;
      expect(restarted.state.status().ready).toBe(false);
      const outcome = await restarted.call(acme.slug, token.text);
      expect([outcome, statusOf(outcome)]).toEqual(['staleness.exceeded', 503]);
    });

    test('a new pod with nothing to ask is not ready and answers 503, never 401, until the stores are back', async () => {
      const bringBack = await takeStoresAway();
      const pod = await boot();
      expect(pod.state.status()).toMatchObject({ ready: false });
      for (const text of [token.text, fleet.addToken(acme).text]) {
        const outcome = await pod.call(acme.slug, text);
        expect([outcome, statusOf(outcome)]).toEqual(['auth.unavailable', 503]);
      }
      await bringBack();
      await vi.waitFor(() => expect(pod.state.status().ready).toBe(true), { timeout: BACK_MS });
      await vi.waitFor(async () => expect(typeof (await pod.call(acme.slug, token.text))).toBe('object'), {
        timeout: BACK_MS,
        interval: 500,
      });
    });
  });
}
