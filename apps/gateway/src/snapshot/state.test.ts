import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { ServerId } from '@patchbay/contracts';
import type { CallContext } from '../pipeline/context.ts';
import type { Parts } from '@patchbay/ports';
import type { ControlPlane } from '../directory/control-plane.ts';
import { startPod } from './pod.fixture.ts';
import { makeFleet, uuid, type FakeOrganisation, type FakeToken, type Fleet } from './state.fixture.ts';

let fleet: Fleet;
let acme: FakeOrganisation;
let token: FakeToken;

beforeEach(async () => {
  fleet = await makeFleet();
  acme = fleet.addOrganisation('acme');
  acme.servers.push({ id: uuid<ServerId>(), slug: 'files', tools: ['read', 'write'] });
  token = fleet.addToken(acme);
  await fleet.publish(acme);
});

const revisionOf = (passed: string | CallContext): number | string =>
  typeof passed === 'string' ? passed : (passed.snapshot?.revision ?? -1);

describe('loading', () => {
  test('an organisation loads on its first request, once for all who wait', async () => {
    const pod = await startPod(fleet);
    fleet.calls.getManifest = 0;
    const passed = await Promise.all([pod.call('acme', token.text), pod.call('acme', token.text), pod.call('acme', token.text)]);
    expect(passed.map(revisionOf)).toEqual([1, 1, 1]);
    expect([fleet.calls.getManifest, fleet.calls.getToken]).toEqual([1, 1]);
    await pod.state.stop();
  });

  test('whoever waits for an organisation that is loading is counted as nobody’s miss', async () => {
    const pod = await startPod(fleet);
    const passed = await Promise.all(Array.from({ length: 300 }, () => pod.call('acme', token.text)));
    expect(new Set(passed.map(revisionOf))).toEqual(new Set([1]));
    expect(pod.state.counters.missesLimited).toBe(0);
    await pod.state.stop();
  });

  test('an organisation that changes while it loads is served as it is by then, to all who wait', async () => {
    const { parts } = fleet.deps.ports;
    let changes = 0;
    const overtaken: Parts = {
      ...parts,
      async getParts(id, hashes) {
        const found = await parts.getParts(id, hashes);
        if (changes >= 4) return found;
        changes += 1;
        acme.servers.push({ id: uuid<ServerId>(), slug: `more-${changes}`, tools: [] });
        await fleet.publish(acme);
        await vi.waitFor(() => expect(pod.state.counters.announcements).toBe(changes), { interval: 1 });
        return found;
      },
    };
    const pod = await startPod(fleet, { ports: { ...fleet.deps.ports, parts: overtaken } });
    const passed = await Promise.all([pod.call('acme', token.text), pod.call('acme', token.text)]);
    expect([changes, ...passed.map(revisionOf)]).toEqual([4, 5, 5]);
    await pod.state.stop();
  });

  test('what the store lost and the disk knows is waited for until a control plane has it', async () => {
    const old = fleet.stored.manifests.get(acme.id) ?? '';
    await fleet.publish(acme);
    const before = await startPod(fleet);
    expect(revisionOf(await before.call('acme', token.text))).toBe(2);
    await before.state.stop();
    await fleet.publish(acme);
    const current = fleet.stored.manifests.get(acme.id) ?? '';
    fleet.stored.manifests.set(acme.id, old);
    let asked = 0;
    const restarting: ControlPlane = {
      ...fleet.deps.controlPlane,
      manifest: async () => (++asked < 5 ? { kind: 'unreachable' } : { kind: 'found', value: current }),
    };
    const pod = await startPod(fleet, { home: before.home, controlPlane: restarting });
    expect(revisionOf(await pod.call('acme', token.text))).toBe(3);
    await pod.state.stop();
  });

  test('with the stores away the control plane gives everything', async () => {
    fleet.away.stores = true;
    const pod = await startPod(fleet);
    expect(revisionOf(await pod.call('acme', token.text))).toBe(1);
    await pod.state.stop();
  });

  test('with the control plane away the stores give everything', async () => {
    fleet.away.controlPlane = true;
    const pod = await startPod(fleet);
    expect(revisionOf(await pod.call('acme', token.text))).toBe(1);
    expect(pod.state.status().ready).toBe(true);
    await pod.state.stop();
  });

  test('a lookup that a gap of the bus overtook is made again, not answered with 503', async () => {
    const pod = await startPod(fleet);
    expect(revisionOf(await pod.call('acme', token.text))).toBe(1);
    fleet.stored.tokens.clear();
    pod.state.tokens.missed(acme.id);
    let overtaken = 0;
    fleet.gate.controlPlaneToken = async () => {
      if (overtaken++ < 2) pod.state.tokens.missed(acme.id);
    };
    expect(revisionOf(await pod.call('acme', token.text))).toBe(1);
    expect(overtaken).toBe(3);
    await pod.state.stop();
  });

  test('a new pod with neither is not ready and never says 401; it is ready soon after one of them is back', async () => {
    fleet.away.stores = true;
    fleet.away.controlPlane = true;
    const pod = await startPod(fleet);
    expect(pod.state.status().ready).toBe(false);
    expect(await pod.call('acme', token.text)).toBe('auth.unavailable');
    fleet.away.controlPlane = false;
    await vi.waitFor(() => expect(pod.state.status().ready).toBe(true), { timeout: 3_000 });
    await pod.state.stop();
  });

  test('an organisation that was just created is found although its slug was asked for before', async () => {
    const pod = await startPod(fleet);
    const later = fleet.addOrganisation('later');
    fleet.organisations.delete('later');
    const owner = fleet.addToken(later);
    expect(await pod.call('later', owner.text)).toBe('auth.invalid_token');
    fleet.organisations.set('later', later);
    await fleet.publish(later);
    await vi.waitFor(() => expect(pod.state.counters.announcements).toBe(1));
    expect(revisionOf(await pod.call('later', owner.text))).toBe(1);
    await pod.state.stop();
  });
});

describe('changes', () => {
  test('an announced revision is served within 250 ms, and only its new parts are fetched', async () => {
    const pod = await startPod(fleet);
    await pod.call('acme', token.text);
    fleet.calls.getParts.length = 0;
    acme.servers.push({ id: uuid<ServerId>(), slug: 'mail', tools: ['send'] });
    await fleet.publish(acme);
    await vi.waitFor(() => expect(pod.state.snapshots.current('acme')?.revision).toBe(2), { timeout: 250, interval: 2 });
    expect(pod.state.snapshots.current('acme')?.exposedTools.has('mail_send')).toBe(true);
    expect(fleet.calls.getParts).toHaveLength(2);
    await pod.state.stop();
  });

  /** A pod that serves revision 1, and how often it has asked a control plane for a manifest. */
  async function servingPod(): Promise<{ pod: Awaited<ReturnType<typeof startPod>>; asked: () => number }> {
    let asks = 0;
    const manifest: ControlPlane['manifest'] = (id) => {
      asks += 1;
      return fleet.deps.controlPlane.manifest(id);
    };
    const pod = await startPod(fleet, { controlPlane: { ...fleet.deps.controlPlane, manifest } });
    await pod.call('acme', token.text);
    fleet.calls.getManifest = 0;
    return { pod, asked: () => asks };
  }

  test('what is to be forgotten is, and the manifest that is still to come is read once, when it stands, from the store', async () => {
    const { pod, asked } = await servingPod();
    fleet.revoke(acme, token);
    await fleet.announceNow({ ...acme, revision: 2 }, { published: false });
    await vi.waitFor(() => expect(pod.state.tokens.peek(token.hash)).toBeUndefined(), { interval: 1 });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect([fleet.calls.getManifest, asked()]).toEqual([0, 0]);
    await fleet.publish(acme);
    await vi.waitFor(() => expect(pod.state.snapshots.current('acme')?.revision).toBe(2), { interval: 1 });
    expect([fleet.calls.getManifest, asked()]).toEqual([1, 0]);
    await pod.state.stop();
  });

  test('a manifest of which nobody says that it stands is looked for after a second', async () => {
    const { pod } = await servingPod();
    await fleet.publish(acme, { announce: false });
    await fleet.announceNow(acme, { published: false });
    await vi.waitFor(() => expect(pod.state.snapshots.current('acme')?.revision).toBe(2), { timeout: 3_000 });
    await pod.state.stop();
  });

  test('a revision announced before it is published is fetched as soon as it is', async () => {
    const pod = await startPod(fleet);
    await pod.call('acme', token.text);
    acme.revision = 2;
    await fleet.announceNow(acme);
    acme.revision = 1;
    setTimeout(() => void fleet.publish(acme, { announce: false }), 30);
    await vi.waitFor(() => expect(pod.state.snapshots.current('acme')?.revision).toBe(2), { timeout: 250, interval: 2 });
    await pod.state.stop();
  });

  test('a revision that is published again with other settings is taken, and kept on disk', async () => {
    const pod = await startPod(fleet);
    await pod.call('acme', token.text);
    acme.servers.pop();
    acme.revision -= 1;
    fleet.clock.now += 1_000;
    await fleet.publish(acme);
    await vi.waitFor(() => expect(pod.state.snapshots.current('acme')?.serversBySlug.size).toBe(0));
    fleet.away.stores = true;
    fleet.away.controlPlane = true;
    await pod.state.stop();
    const restarted = await startPod(fleet, { home: pod.home });
    const passed = await restarted.call('acme', token.text);
    expect(typeof passed === 'string' ? passed : passed.snapshot?.serversBySlug.size).toBe(0);
    await restarted.state.stop();
  });

  test('a lost message is found by the comparison', async () => {
    const pod = await startPod(fleet);
    await pod.call('acme', token.text);
    await fleet.publish(acme, { announce: false });
    await pod.state.compare();
    await vi.waitFor(() => expect(pod.state.snapshots.current('acme')?.revision).toBe(2));
    fleet.away.controlPlane = true;
    await fleet.publish(acme, { announce: false });
    await pod.state.compare();
    expect(pod.state.snapshots.current('acme')?.revision).toBe(3);
    await pod.state.stop();
  });

  test('a pod that started while the stores were away subscribes once they are back', async () => {
    fleet.away.stores = true;
    const pod = await startPod(fleet);
    await pod.call('acme', token.text);
    fleet.away.stores = false;
    await vi.waitFor(() => expect(fleet.listeners.size).toBe(1), { timeout: 3_000 });
    await pod.state.stop();
    expect(fleet.listeners.size).toBe(0);
  });

  test('each swap is told with what was served before it; the first load is none', async () => {
    const swaps: [number, number][] = [];
    const pod = await startPod(fleet, { swapped: (before, after) => void swaps.push([before.revision, after.revision]) });
    await pod.call('acme', token.text);
    expect(swaps).toEqual([]);
    await fleet.publish(acme);
    await vi.waitFor(() => expect(swaps).toEqual([[1, 2]]));
    await pod.state.stop();
  });

  test('an unsigned announcement changes nothing', async () => {
    const pod = await startPod(fleet);
    await pod.call('acme', token.text);
    const forged = await fleet.sign('tokenEntry', { organisationId: acme.id, epoch: 9, revision: 9, invalidations: [] });
    await fleet.bus.publish('revisions', forged);
    await fleet.bus.publish('revisions', 'not a token');
    await vi.waitFor(() => expect(pod.state.counters.refused.signature).toBe(2));
    expect(pod.state.status().organisations[0]?.lagMs).toBe(0);
    await pod.state.stop();
  });
});

describe('what is refused', () => {
  test('a rollback: an older manifest, rightly signed, is refused by a running pod and by a restarted one', async () => {
    const older = fleet.stored.manifests.get(acme.id) ?? '';
    await fleet.publish(acme);
    const pod = await startPod(fleet);
    await pod.call('acme', token.text);
    fleet.stored.manifests.set(acme.id, older);
    fleet.away.controlPlane = true;
    await pod.state.compare();
    expect(pod.state.snapshots.current('acme')?.revision).toBe(2);
    expect(pod.state.counters.refused.rollback).toBe(1);
    await pod.state.stop();
    const restarted = await startPod(fleet, { home: pod.home });
    expect(revisionOf(await restarted.call('acme', token.text))).toBe(2);
    expect(restarted.state.status().organisations[0]?.from).toBe('disk');
    await restarted.state.stop();
  });

  test('a manifest of another organisation under our key', async () => {
    const other = fleet.addOrganisation('other');
    await fleet.publish(other);
    fleet.stored.manifests.set(acme.id, fleet.stored.manifests.get(other.id) ?? '');
    const pod = await startPod(fleet);
    expect(await pod.call('acme', token.text)).toBe('auth.unavailable');
    expect(pod.state.counters.refused.other_organisation).toBeGreaterThan(0);
    await pod.state.stop();
  });

  test('a manifest that says our slug and another organisation', async () => {
    fleet.stored.manifests.set(acme.id, await fleet.manifestOf({ ...acme, id: uuid() }));
    const pod = await startPod(fleet);
    expect(await pod.call('acme', token.text)).toBe('auth.unavailable');
    expect(pod.state.counters.refused.other_organisation).toBeGreaterThan(0);
    await pod.state.stop();
  });

  test("another organisation's part, named by a signed manifest, leaves the last good state in place", async () => {
    const pod = await startPod(fleet);
    await pod.call('acme', token.text);
    const id = acme.id;
    acme.id = uuid();
    const foreign = await fleet.manifestOf(acme, { organisationId: id, revision: 2 });
    acme.id = id;
    acme.revision = 2;
    fleet.stored.manifests.set(id, foreign);
    await fleet.announceNow(acme);
    await vi.waitFor(() => expect(pod.state.counters.refused.part_malformed).toBe(1));
    expect(pod.state.snapshots.current('acme')?.revision).toBe(1);
    expect(pod.logged.some(({ level }) => level === 'error')).toBe(true);
    await pod.state.stop();
  });

  test('a manifest that needs what this version cannot do: the last good state stays, and is counted', async () => {
    const pod = await startPod(fleet);
    await pod.call('acme', token.text);
    acme.revision += 1;
    fleet.stored.manifests.set(acme.id, await fleet.manifestOf(acme, { needs: ['approvals-of-2030'] }));
    await pod.state.compare();
    expect(revisionOf(await pod.call('acme', token.text))).toBe(1);
    await vi.waitFor(() => expect(pod.state.counters.refused.too_new).toBeGreaterThan(0));
    expect(revisionOf(await pod.call('acme', token.text))).toBe(1);
    await pod.state.stop();
  });

  test('but not a part of a kind that is not known, when nothing needs it', async () => {
    const pod = await startPod(fleet);
    acme.revision += 1;
    const manifest = JSON.parse(Buffer.from((await fleet.manifestOf(acme)).split('.')[1] ?? '', 'base64url').toString()) as {
      parts: object[];
    };
    const hash = 'a'.repeat(64);
    fleet.stored.parts.set(hash, Buffer.from('of a later version'));
    fleet.stored.manifests.set(
      acme.id,
      await fleet.manifestOf(acme, { parts: [...manifest.parts, { kind: 'later', key: '0', hash, bytes: 18 }] }),
    );
    await pod.state.compare();
    expect(revisionOf(await pod.call('acme', token.text))).toBe(2);
    await pod.state.stop();
  });

  test('tampered bytes of a part', async () => {
    for (const hash of fleet.stored.parts.keys()) fleet.stored.parts.set(hash, Buffer.from('{"format":1,"grants":[]}'));
    const pod = await startPod(fleet);
    expect(await pod.call('acme', token.text)).toBe('auth.unavailable');
    expect(pod.state.counters.refused.part_hash).toBeGreaterThan(0);
    await pod.state.stop();
  });

  test('two servers of one slug, until a later revision is right again', async () => {
    const pod = await startPod(fleet);
    await pod.call('acme', token.text);
    acme.servers.push({ id: uuid<ServerId>(), slug: 'files', tools: [] });
    await fleet.publish(acme);
    await vi.waitFor(() => expect(pod.state.counters.refused.part_malformed).toBe(1));
    expect(pod.state.snapshots.current('acme')?.revision).toBe(1);
    acme.servers.pop();
    await fleet.publish(acme);
    await vi.waitFor(() => expect(pod.state.snapshots.current('acme')?.revision).toBe(3));
    await pod.state.stop();
  });
});

describe('disk', () => {
  test('with everything away a restarted pod serves what it served: snapshot and token', async () => {
    const pod = await startPod(fleet);
    await pod.call('acme', token.text);
    fleet.away.stores = true;
    fleet.away.controlPlane = true;
    await pod.state.stop();
    const restarted = await startPod(fleet, { home: pod.home });
    expect(revisionOf(await restarted.call('acme', token.text))).toBe(1);
    expect(restarted.state.status().ready).toBe(true);
    const never = fleet.addToken(acme);
    expect(await restarted.call('acme', never.text)).toBe('auth.unavailable');
    await restarted.state.stop();
  });

  test('a token that was revoked before the restart is not brought back by the disk', async () => {
    const pod = await startPod(fleet);
    await pod.call('acme', token.text);
    fleet.revoke(acme, token);
    await fleet.publish(acme);
    await vi.waitFor(() => expect(pod.state.snapshots.current('acme')?.revision).toBe(2));
    fleet.away.stores = true;
    fleet.away.controlPlane = true;
    await pod.state.stop();
    const restarted = await startPod(fleet, { home: pod.home });
    expect(await restarted.call('acme', token.text)).toBe('auth.invalid_token');
    await restarted.state.stop();
  });

  test('an invalidation that was only announced is not forgotten by a restart', async () => {
    const pod = await startPod(fleet);
    await pod.call('acme', token.text);
    fleet.revoke(acme, token);
    acme.revision += 1;
    await fleet.announceNow(acme);
    await vi.waitFor(() => expect(pod.state.tokens.peek(token.hash)).toBeUndefined());
    fleet.away.stores = true;
    fleet.away.controlPlane = true;
    await pod.state.stop();
    const restarted = await startPod(fleet, { home: pod.home });
    expect(await restarted.call('acme', token.text)).toBe('auth.unavailable');
    await restarted.state.stop();
  });

  test('holds no token and no readable token entry, and no part that is not used', async () => {
    const pod = await startPod(fleet);
    await pod.call('acme', token.text);
    acme.servers.pop();
    await fleet.publish(acme);
    await vi.waitFor(() => expect(pod.state.snapshots.current('acme')?.revision).toBe(2));
    await pod.state.stop();
    const sealed = await readFile(join(pod.home, 'tokens.sealed'), 'utf8');
    expect(sealed).not.toContain(token.text);
    expect(Buffer.from(sealed, 'base64url').toString('latin1')).not.toContain(token.hash);
    expect(await readdir(join(pod.home, acme.id, 'parts'))).toHaveLength(2);
  });

  test('a half-written or foreign file on disk is no state', async () => {
    const pod = await startPod(fleet);
    await pod.call('acme', token.text);
    await pod.state.stop();
    await writeFile(join(pod.home, 'tokens.sealed'), 'AAAA');
    await mkdir(join(pod.home, acme.id), { recursive: true });
    await writeFile(join(pod.home, acme.id, 'manifest.jws'), 'x.y.z');
    fleet.away.stores = true;
    fleet.away.controlPlane = true;
    const restarted = await startPod(fleet, { home: pod.home });
    expect(await restarted.call('acme', token.text)).toBe('auth.unavailable');
    await restarted.state.stop();
  });
});

describe('replayed directory entries', () => {
  /** The entry of before the revocation lies in the store again, and nobody else can be asked. */
  async function unrevoke(): Promise<void> {
    const entry = fleet.stored.tokens.get(token.hash) ?? '';
    fleet.revoke(acme, token);
    await fleet.publish(acme);
    fleet.stored.tokens.set(token.hash, entry);
    fleet.stored.directoryRevision = 1_000_000;
    fleet.away.controlPlane = true;
  }

  test('a pod that boots an hour after a revocation does not believe an entry of before it', async () => {
    await unrevoke();
    fleet.clock.now += 3_600_000;
    acme.invalidations.length = 0;
    await fleet.publish(acme, { writeTokens: false });
    const pod = await startPod(fleet);
    expect(await pod.call('acme', token.text)).toBe('auth.invalid_token');
    await pod.state.stop();
  });

  test('nor does a pod that has forgotten the invalidation, in memory and on disk', async () => {
    const pod = await startPod(fleet);
    expect(revisionOf(await pod.call('acme', token.text))).toBe(1);
    await unrevoke();
    await vi.waitFor(() => expect(pod.state.snapshots.current('acme')?.revision).toBe(2));
    fleet.clock.now += 12 * 60_000;
    await pod.state.compare();
    expect(await pod.call('acme', token.text)).toBe('auth.invalid_token');
    await pod.state.stop();
    const restarted = await startPod(fleet, { home: pod.home });
    expect(await restarted.call('acme', token.text)).toBe('auth.invalid_token');
    await restarted.state.stop();
  });

  test('an organisation entry of another organisation, or a slug that was moved, is corrected by the control plane', async () => {
    const other = fleet.addOrganisation('other');
    await fleet.publish(other);
    fleet.stored.organisations.set('acme', await fleet.sign('organisationEntry', { organisationId: other.id, slug: 'acme' }));
    const pod = await startPod(fleet);
    expect(revisionOf(await pod.call('acme', token.text))).toBe(1);
    await pod.state.stop();
  });
});

describe('a wall clock that jumps', () => {
  test.each([
    ['forward', 7_200_000],
    ['back', -7_200_000],
  ])('%s: a running pod keeps to its budget, no longer and no shorter', async (_way, skewMs) => {
    const pod = await startPod(fleet);
    await pod.call('acme', token.text);
    fleet.away.controlPlane = true;
    fleet.away.stores = true;
    fleet.clock.skewMs = skewMs;
    fleet.clock.now += 290_000;
    expect(revisionOf(await pod.call('acme', token.text))).toBe(1);
    fleet.clock.now += 11_000;
    expect(await pod.call('acme', token.text)).toBe('staleness.exceeded');
    await pod.state.stop();
  });

  test('back, before a restart with everything away: how old the state is cannot be known, so nothing is served', async () => {
    const pod = await startPod(fleet);
    await pod.call('acme', token.text);
    fleet.away.controlPlane = true;
    fleet.away.stores = true;
    await pod.state.stop();
    fleet.clock.skewMs = -7_200_000;
    const restarted = await startPod(fleet, { home: pod.home });
    expect(restarted.state.status().ready).toBe(false);
    expect(await restarted.call('acme', token.text)).toBe('staleness.exceeded');
    await restarted.state.stop();
  });

  test('back: a token that was not found a moment ago is not refused for hours', async () => {
    const pod = await startPod(fleet);
    await pod.call('acme', token.text);
    const fresh = fleet.addToken(acme);
    acme.tokens.delete(fresh.hash);
    expect(await pod.call('acme', fresh.text)).toBe('auth.invalid_token');
    acme.tokens.set(fresh.hash, fresh);
    fleet.clock.skewMs = -7_200_000;
    fleet.clock.now += 2_001;
    expect(revisionOf(await pod.call('acme', fresh.text))).toBe(1);
    await pod.state.stop();
  });
});

describe('staleness', () => {
  test('without news for the budget a pod refuses and is not ready, also after a restart, until a control plane or the stores are back', async () => {
    const pod = await startPod(fleet);
    await pod.call('acme', token.text);
    fleet.away.controlPlane = true;
    fleet.away.stores = true;
    fleet.clock.now += 301_000;
    await pod.state.compare();
    expect(await pod.call('acme', token.text)).toBe('staleness.exceeded');
    expect(pod.state.status()).toMatchObject({ ready: false });
    await pod.state.stop();
    const restarted = await startPod(fleet, { home: pod.home });
    expect(await restarted.call('acme', token.text)).toBe('staleness.exceeded');
    fleet.away.stores = false;
    await restarted.state.compare();
    expect(revisionOf(await restarted.call('acme', token.text))).toBe(1);
    await restarted.state.stop();
  });

  test('a revision that is known and cannot be had is served around for the budget only', async () => {
    const pod = await startPod(fleet);
    await pod.call('acme', token.text);
    acme.revision = 5;
    await pod.state.compare();
    fleet.clock.now += 301_000;
    await pod.state.compare();
    expect(await pod.call('acme', token.text)).toBe('staleness.exceeded');
    await pod.state.stop();
  });
});
