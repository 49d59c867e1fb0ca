import { randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import type { OrganisationId, PodId, PodReport, Revision, Rollout } from '@patchbay/contracts';
import { PodRegistry } from './pod-registry.ts';
import { rolloutOf } from './rollout-of.ts';

const acme = randomUUID() as OrganisationId;
const BUDGET_MS = 60_000;

let nowMs: number;
let registry: PodRegistry;
let sequences: Map<PodId, number>;

beforeEach(() => {
  nowMs = 1_000_000;
  registry = new PodRegistry();
  sequences = new Map();
});

type Said = Partial<Pick<PodReport, 'state' | 'comparedMsAgo' | 'sequence'>> & {
  readonly at?: number;
  readonly loaded?: 0 | 1;
  readonly ack?: boolean;
};

/** One message of a pod about acme: loaded at a revision, or (`at` left away) not at all. */
function hear(
  podId: PodId,
  { ack = false, at, comparedMsAgo = null, loaded = 1, sequence, state = 'ready' }: Said,
  way: 'bus' | 'internal' = 'bus',
): boolean {
  const next = sequence ?? (sequences.get(podId) ?? 0) + 1;
  sequences.set(podId, Math.max(next, sequences.get(podId) ?? 0));
  const positions: PodReport['positions'] = at === undefined ? [] : [[acme, at === 0 ? 0 : 1, at as Revision, loaded]];
  const report = ack ? null : { first: next, count: 1 };
  const said = {
    format: 1,
    podId,
    startedAtMs: 0,
    sequence: next,
    sentAtMs: 0,
    state,
    stalenessBudgetMs: BUDGET_MS,
    comparedMsAgo,
  } as const;
  return registry.take({ ...said, report, positions }, { nowMs, ageMs: 0, way });
}

const newPod = (): PodId => randomUUID() as PodId;

function ask(revision: number, { knownSinceMs = nowMs, knows = true } = {}): Omit<Rollout, 'newest'> {
  const at = { nowMs, knowsWhoIsThere: knows, wallMs: (ms: number) => ms };
  const standing = rolloutOf({ organisationId: acme, position: { epoch: 1, revision }, knownSinceMs }, registry.pods(nowMs), at);
  return { ...standing, pods: [...standing.pods] };
}

const date = (ms: number): string => new Date(ms).toISOString();

describe('a revision is confirmed', () => {
  test('when the last pod with a lease has acknowledged it, and not before', () => {
    const [one, two] = [newPod(), newPod()];
    hear(one, { at: 5 });
    hear(two, { at: 4 });
    expect(ask(5)).toMatchObject({ confirmedAt: null, waitingFor: 'pods' });
    nowMs += 100;
    hear(two, { at: 5, ack: true });
    expect(ask(5, { knownSinceMs: nowMs - 50 })).toMatchObject({ confirmedAt: date(nowMs), waitingFor: null, notHeardFrom: [] });
    nowMs += 100;
    hear(one, { at: 6 });
    expect(ask(5, { knownSinceMs: nowMs - 250 }).confirmedAt).toBe(date(nowMs - 100));
    expect(ask(6)).toMatchObject({ confirmedAt: null, pods: [{ state: 'acknowledged', lagMs: 0 }, { state: 'behind' }] });
  });

  test('not by a control plane that has not listened long enough to know who is there', () => {
    expect(ask(5, { knows: false })).toMatchObject({ confirmedAt: null, waitingFor: 'knowing-who-is-there' });
    expect(ask(5)).toMatchObject({ confirmedAt: date(nowMs) });
  });

  test('without a pod that has said that it ends, whatever of it comes late', () => {
    const pod = newPod();
    hear(pod, { at: 4 });
    hear(pod, { state: 'leaving' });
    expect(ask(5).pods).toEqual([]);
    expect(hear(pod, { at: 4 })).toBe(false);
    expect(ask(5).pods).toEqual([]);
  });
});

describe('a pod that is not heard from', () => {
  test('keeps it unconfirmed until the moment at which it refuses by itself', () => {
    const [one, two] = [newPod(), newPod()];
    hear(one, { at: 5 });
    hear(two, { at: 5 });
    const heardAtMs = nowMs;
    nowMs += 6_001;
    hear(one, { at: 6 });
    expect(ask(6)).toMatchObject({
      confirmedAt: null,
      waitingFor: 'pods-not-heard-from',
      notHeardFrom: [two],
      guaranteedBy: date(heardAtMs + BUDGET_MS),
    });
    nowMs = heardAtMs + BUDGET_MS + 1;
    hear(one, { at: 6 });
    expect(ask(6)).toMatchObject({ confirmedAt: expect.any(String), notHeardFrom: [], guaranteedBy: null });
  });

  test('also when it had acknowledged: its word may be an old one that somebody sends again', () => {
    const pod = newPod();
    hear(pod, { at: 5 });
    nowMs += 6_001;
    expect(ask(5)).toMatchObject({ confirmedAt: null, notHeardFrom: [pod] });
    expect(hear(pod, { at: 5, sequence: 1 })).toBe(false);
    expect(ask(5)).toMatchObject({ confirmedAt: null, notHeardFrom: [pod] });
  });

  test('is known from the database to a control plane that has never heard it', () => {
    const pod = newPod();
    registry.remember([{ podId: pod, stalenessBudgetMs: BUDGET_MS, heardMsAgo: 10_000 }], nowMs);
    expect(ask(5)).toMatchObject({ confirmedAt: null, notHeardFrom: [pod], guaranteedBy: date(nowMs - 10_000 + BUDGET_MS) });
    hear(pod, { at: 5 });
    expect(ask(5)).toMatchObject({ confirmedAt: date(nowMs), notHeardFrom: [] });
  });

  test('keeps its lease from one comparison to the next when the bus is away', () => {
    const pod = newPod();
    hear(pod, { at: 5 }, 'internal');
    nowMs += 11_000;
    expect(ask(5)).toMatchObject({ confirmedAt: expect.any(String), notHeardFrom: [] });
  });
});

describe('an organisation that a pod has not loaded', () => {
  test('needs the word that nothing older will be loaded', () => {
    const pod = newPod();
    hear(pod, {});
    expect(ask(5)).toMatchObject({ confirmedAt: null });
    hear(pod, { at: 5, loaded: 0, ack: true });
    expect(ask(5)).toMatchObject({ confirmedAt: date(nowMs) });
  });

  test('or a comparison that was certainly made after the revision, in a report that is whole', () => {
    const pod = newPod();
    const knownSinceMs = nowMs;
    nowMs += 15_000;
    hear(pod, { comparedMsAgo: 6_000 });
    expect(ask(5, { knownSinceMs })).toMatchObject({ confirmedAt: null });
    hear(pod, { comparedMsAgo: 4_000, ack: true });
    expect(ask(5, { knownSinceMs })).toMatchObject({ confirmedAt: null });
    hear(pod, { comparedMsAgo: 4_000 });
    expect(ask(5, { knownSinceMs })).toMatchObject({ confirmedAt: date(nowMs) });
  });

  test('but not while it is being loaded, or loaded at an older revision', () => {
    const pod = newPod();
    const knownSinceMs = nowMs;
    nowMs += 30_000;
    hear(pod, { at: 0, comparedMsAgo: 1_000 });
    expect(ask(5, { knownSinceMs })).toMatchObject({ confirmedAt: null });
    hear(pod, { at: 4, comparedMsAgo: 1_000 });
    expect(ask(5, { knownSinceMs })).toMatchObject({ confirmedAt: null });
    // Dropped since: it was idle.
    hear(pod, { comparedMsAgo: 1_000 });
    expect(ask(5, { knownSinceMs })).toMatchObject({ confirmedAt: date(nowMs) });
  });

  test('a report of several messages counts only when all of them have come', () => {
    const podId = newPod();
    const whole = {
      format: 1,
      podId,
      startedAtMs: 0,
      sentAtMs: 0,
      state: 'ready',
      stalenessBudgetMs: BUDGET_MS,
      comparedMsAgo: 0,
      positions: [] as PodReport['positions'],
    } as const;
    const arrival = { ageMs: 0, way: 'bus' } as const;
    const knownSinceMs = nowMs - 20_000;
    const send = (sequence: number): boolean =>
      registry.take({ ...whole, sequence, report: { first: 1, count: 3 } }, { ...arrival, nowMs });
    send(1);
    send(3);
    expect(ask(5, { knownSinceMs })).toMatchObject({ confirmedAt: null });
    registry.take({ ...whole, sequence: 4, report: { first: 4, count: 1 } }, { ...arrival, nowMs });
    expect(ask(5, { knownSinceMs })).toMatchObject({ confirmedAt: date(nowMs) });
  });

  test('a report that was held back does not count as a comparison of now', () => {
    const podId = newPod();
    const said = {
      format: 1,
      podId,
      startedAtMs: 0,
      sentAtMs: 0,
      state: 'ready',
      stalenessBudgetMs: BUDGET_MS,
      comparedMsAgo: 0,
      positions: [] as PodReport['positions'],
    } as const;
    registry.take({ ...said, sequence: 1, report: { first: 1, count: 1 } }, { ageMs: 10_001, way: 'internal', nowMs });
    expect(ask(5, { knownSinceMs: nowMs - 60_000 })).toMatchObject({ confirmedAt: null });
  });
});

test('a later epoch outranks every revision of the one before', () => {
  const pod = newPod();
  hear(pod, { at: 900 });
  const at = { nowMs, knowsWhoIsThere: true, wallMs: (ms: number) => ms };
  const asked = { organisationId: acme, position: { epoch: 2, revision: 1 }, knownSinceMs: nowMs };
  expect(rolloutOf(asked, registry.pods(nowMs), at)).toMatchObject({ confirmedAt: null, pods: [{ revision: null, state: 'behind' }] });
});
