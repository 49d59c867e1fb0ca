import { randomUUID } from 'node:crypto';
import { OrganisationId, ServerId, UserId } from '@patchbay/contracts';
import { createKeyring } from '@patchbay/vault';
import { describe, expect, it } from 'vitest';
import { makeFactStore } from './client-facts.ts';
import { makeSessionOpener, type SessionOpener } from './session-opener.ts';
import { makeTombstones, type Tombstones } from './tombstones.ts';

const BINDING = {
  organisationId: OrganisationId.parse(randomUUID()),
  serverId: ServerId.parse(randomUUID()),
  userId: UserId.parse(randomUUID()),
};
const CLIENT = { protocolVersion: '2025-06-18', capabilities: '{"roots":{}}', clientInfo: '{"name":"test","version":"1"}' };
const DAY_MS = 24 * 3_600_000;

/** Pods with the same keys and store. */
function pods(): {
  makePod: () => SessionOpener & { tombstones: Tombstones };
  reads: () => number;
  clock: { at: number };
  breakStore: () => void;
  values: Map<string, string>;
} {
  const values = new Map<string, string>();
  let reads = 0;
  let isBroken = false;
  const clock = { at: 1_000 };
  const store = {
    async get(_organisationId: string, key: string) {
      reads += 1;
      if (isBroken) throw new Error('away');
      return values.get(key) ?? null;
    },
    async set(_organisationId: string, key: string, value: string) {
      values.set(key, value);
    },
  };
  const makePod = (): SessionOpener & { tombstones: Tombstones } => {
    const tombstones = makeTombstones({ store, clock: { nowMs: () => clock.at }, announce: async () => undefined });
    const keyring = createKeyring([Buffer.alloc(32, 1)]);
    return {
      ...makeSessionOpener({
        keyring,
        tombstones,
        facts: makeFactStore(store, keyring),
        clock: { nowMs: () => clock.at },
        logger: { warn: () => undefined },
      }),
      tombstones,
    };
  };
  return { makePod, reads: () => reads, clock, breakStore: () => (isBroken = true), values };
}

describe('a session id', () => {
  it('opens on a pod that did not mint it, and is then known without asking again', async () => {
    const { makePod, reads } = pods();
    const { header, session } = makePod().mint(BINDING, CLIENT, { id: 'upstream', instance: 'host-1' });
    const other = makePod();
    expect(await other.open(BINDING, header)).toEqual(session);
    expect(other.open(BINDING, header)).toEqual(session);
    expect(reads()).toBe(1);
  });

  it('is known at once to the pod that minted it', () => {
    const { makePod, reads } = pods();
    const pod = makePod();
    const { header, session } = pod.mint(BINDING, CLIENT, null);
    expect(pod.open(BINDING, header)).toBe(session);
    expect(reads()).toBe(0);
  });

  it.each(['organisationId', 'serverId', 'userId'] as const)(
    'does not open under another %s, neither fresh nor remembered',
    async (field) => {
      const { makePod } = pods();
      const pod = makePod();
      const { header } = pod.mint(BINDING, CLIENT, null);
      const foreign = { ...BINDING, [field]: randomUUID() as never };
      expect(await pod.open(foreign, header)).toMatchObject({ code: 'session.gone' });
      expect(await makePod().open(foreign, header)).toMatchObject({ code: 'session.gone' });
    },
  );

  it('does not open on the aggregated endpoint', async () => {
    const { makePod } = pods();
    const { header } = makePod().mint(BINDING, CLIENT, null);
    expect(await makePod().open({ ...BINDING, serverId: null }, header)).toMatchObject({ code: 'session.gone' });
  });

  it('ends after 30 days, remembered or not', async () => {
    const { clock, makePod } = pods();
    const pod = makePod();
    const { header } = pod.mint(BINDING, CLIENT, null);
    clock.at += 30 * DAY_MS - 1;
    expect(pod.open(BINDING, header)).toMatchObject({ protocolVersion: '2025-06-18' });
    clock.at += 1;
    expect(pod.open(BINDING, header)).toMatchObject({ code: 'session.gone' });
    expect(await makePod().open(BINDING, header)).toMatchObject({ code: 'session.gone' });
  });

  it('that was ended opens nowhere', async () => {
    const { makePod } = pods();
    const pod = makePod();
    const { header, session } = pod.mint(BINDING, CLIENT, null);
    await pod.tombstones.bury(session);
    expect(pod.open(BINDING, header)).toMatchObject({ code: 'session.gone' });
    expect(await makePod().open(BINDING, header)).toMatchObject({ code: 'session.gone' });
  });

  it('opens while the store is away, but is asked about again', async () => {
    const { breakStore, makePod, reads } = pods();
    const { header, session } = makePod().mint(BINDING, CLIENT, null);
    const other = makePod();
    breakStore();
    expect(await other.open(BINDING, header)).toEqual(session);
    await other.open(BINDING, header);
    expect(reads()).toBe(2);
  });

  it('stays within 1 KB: an upstream id that does not fit is left out', () => {
    const { makePod } = pods();
    const { header, session } = makePod().mint(BINDING, CLIENT, { id: 'u'.repeat(1024), instance: null });
    expect(header.length).toBeLessThanOrEqual(1024);
    expect(session.upstreamSessionId).toBeNull();
    expect(makePod().mint(BINDING, CLIENT, { id: 'u'.repeat(300), instance: 'h'.repeat(16) }).session.upstreamSessionId).not.toBeNull();
  });

  it('carries what its client said of itself, in the store what does not fit, where nobody can read it', async () => {
    const { makePod, reads, values } = pods();
    const small = makePod().mint(BINDING, CLIENT, { id: 'upstream', instance: null });
    expect(await makePod().open(BINDING, small.header)).toMatchObject(CLIENT);
    const before = reads();
    const large = { ...CLIENT, clientInfo: JSON.stringify({ name: 'large', icons: 'x'.repeat(2_000) }) };
    const { header, recorded } = makePod().mint(BINDING, large, { id: 'upstream', instance: null });
    await recorded;
    expect(header.length).toBeLessThanOrEqual(1024);
    const other = makePod();
    expect(await other.open(BINDING, header)).toMatchObject({ ...large, upstreamSessionId: 'upstream' });
    expect(other.open(BINDING, header)).toMatchObject(large);
    expect(reads() - before).toBe(2);
    expect(JSON.stringify([...values])).not.toContain('xxx');
  });

  it('has no capabilities while the store that holds them is away', async () => {
    const { breakStore, makePod } = pods();
    const { header, recorded } = makePod().mint(BINDING, { ...CLIENT, clientInfo: JSON.stringify({ name: 'x'.repeat(2_000) }) }, null);
    await recorded;
    const other = makePod();
    breakStore();
    expect(await other.open(BINDING, header)).toMatchObject({ capabilities: '{}', clientInfo: null });
  });

  it('whose client the store has forgotten is asked about once', async () => {
    const { makePod, reads, values } = pods();
    const { header, recorded } = makePod().mint(BINDING, { ...CLIENT, clientInfo: JSON.stringify({ name: 'x'.repeat(2_000) }) }, null);
    await recorded;
    values.clear();
    const other = makePod();
    expect(await other.open(BINDING, header)).toMatchObject({ capabilities: '{}', clientInfo: null });
    expect(other.open(BINDING, header)).toMatchObject({ capabilities: '{}', clientInfo: null });
    expect(reads()).toBe(2);
  });

  it.each(['', 'x', 'a'.repeat(5_000), '../../etc', 'é'])('that is nonsense (%s) is gone', async (header) => {
    expect(await pods().makePod().open(BINDING, header)).toMatchObject({ code: 'session.gone' });
  });
});
