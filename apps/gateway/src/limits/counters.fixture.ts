import type { LimitId, OrganisationId } from '@patchbay/contracts';
import type { Counters, Lease, LimitWindow, SlotsHeld } from '@patchbay/ports';
import type { LimitRule } from './compile-limits.ts';
import { LeaseBook } from './lease-book.ts';
import type { LeasedCounter } from './leased-counter.ts';

/** Simulated time: what was scheduled runs when the clock is moved past it, in order, with promises settled in between. */
export function makeTime(): Time {
  const clock = { now: 1_000_000, nowMs: (): number => clock.now };
  const due: { atMs: number; run: () => void }[] = [];
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 12; turn += 1) await Promise.resolve();
  };
  return {
    nowMs: clock.nowMs,
    after: (ms) => new Promise((resolve) => due.push({ atMs: clock.now + ms, run: resolve })),
    async pass(ms) {
      const endMs = clock.now + ms;
      for (;;) {
        due.sort((one, other) => one.atMs - other.atMs);
        const next = due[0];
        if (next === undefined || next.atMs > endMs) break;
        due.shift();
        clock.now = Math.max(clock.now, next.atMs);
        next.run();
        await settle();
      }
      clock.now = endMs;
      await settle();
    },
  };
}

export type Time = {
  nowMs(): number;
  after(ms: number): Promise<void>;
  pass(ms: number): Promise<void>;
};

type Charged = { slices: Map<number, number> };
export type FakeCounters = Counters & {
  /** How it answers: as it should after `latencyMs`, not at all, with an error, or with whatever is wanted. */
  mode: 'works' | 'hangs' | 'fails' | 'lies';
  latencyMs: number;
  /** Questions asked, by operation. */
  readonly asked: { take: number; giveBack: number; hold: number };
  /** As a store that restarted without its data. */
  forget(): void;
};

/** As the port says. */
const SLICES = 50;

/** The port in memory, by simulated time: windows in fiftieths, slots under leases. */
export function makeCounters(time: Pick<Time, 'nowMs' | 'after'>): FakeCounters {
  const windows = new Map<string, Charged>();
  const slots = new Map<string, Map<string, { held: number; untilMs: number }>>();

  const sliceMs = (windowMs: number): number => windowMs / SLICES;
  function chargedOf(name: string, windowMs: number): Charged {
    const charged = windows.get(`${name} ${windowMs}`) ?? { slices: new Map<number, number>() };
    windows.set(`${name} ${windowMs}`, charged);
    const present = Math.floor(time.nowMs() / sliceMs(windowMs));
    for (const slice of charged.slices.keys()) if (slice < present - SLICES) charged.slices.delete(slice);
    return charged;
  }
  const total = ({ slices }: Charged): number => [...slices.values()].reduce((sum, each) => sum + each, 0);

  function take(name: string, asked: readonly LimitWindow[], wanted: number): Lease {
    const nowMs = time.nowMs();
    const left = asked.map(({ windowMs, max }) => max - total(chargedOf(name, windowMs)));
    const granted = Math.max(0, Math.min(wanted, ...left));
    for (const { windowMs } of asked) {
      const { slices } = chargedOf(name, windowMs);
      const slice = Math.floor(nowMs / sliceMs(windowMs));
      slices.set(slice, (slices.get(slice) ?? 0) + granted);
    }
    const waits = asked.map(({ windowMs, max }) => {
      const charged = chargedOf(name, windowMs);
      if (granted >= wanted || total(charged) < max) return 0;
      return (Math.min(...charged.slices.keys()) + SLICES + 1) * sliceMs(windowMs) - nowMs;
    });
    return { granted, chargedAtMs: nowMs, retryAfterMs: Math.max(0, ...waits) };
  }

  function hold(name: string, { holder, max, wanted, ttlMs }: { holder: string; max: number; wanted: number; ttlMs: number }): SlotsHeld {
    const nowMs = time.nowMs();
    const holders = slots.get(name) ?? new Map<string, { held: number; untilMs: number }>();
    slots.set(name, holders);
    for (const [each, { untilMs }] of holders) if (untilMs <= nowMs) holders.delete(each);
    const others = [...holders].reduce((sum, [each, { held }]) => (each === holder ? sum : sum + held), 0);
    const held = Math.max(0, Math.min(wanted, max - others));
    holders.set(holder, { held, untilMs: nowMs + ttlMs });
    return { held, inUse: others + held };
  }

  async function answer<T>(work: () => T, lie: T): Promise<T> {
    if (fake.mode === 'hangs') return new Promise<T>(() => undefined);
    await time.after(fake.latencyMs / 2);
    if (fake.mode === 'fails') throw new Error('ECONNREFUSED');
    const answered = fake.mode === 'lies' ? lie : work();
    await time.after(fake.latencyMs / 2);
    return answered;
  }

  const fake: FakeCounters = {
    mode: 'works',
    latencyMs: 2,
    asked: { take: 0, giveBack: 0, hold: 0 },
    forget: () => [windows, slots].forEach((each) => each.clear()),
    take(organisationId, counter, request) {
      fake.asked.take += 1;
      const lie = { granted: request.wanted, chargedAtMs: time.nowMs(), retryAfterMs: 0 };
      return answer(() => take(`${organisationId} ${counter}`, request.windows, request.wanted), lie);
    },
    giveBack(organisationId, counter, { windows: asked, permits, chargedAtMs }) {
      fake.asked.giveBack += 1;
      return answer(() => {
        for (const { windowMs } of asked) {
          const { slices } = chargedOf(`${organisationId} ${counter}`, windowMs);
          const slice = Math.floor(chargedAtMs / sliceMs(windowMs));
          const count = slices.get(slice);
          if (count !== undefined) slices.set(slice, Math.max(0, count - permits));
        }
      }, undefined);
    },
    hold(organisationId, counter, request) {
      fake.asked.hold += 1;
      return answer(() => hold(`${organisationId} ${counter}`, request), { held: request.wanted, inUse: request.wanted });
    },
  };
  return fake;
}

/** A pod's book on these counters. `changes`: what its log would say of the store. */
export function makePod(time: Time, counters: Counters, { holder = 'pod', pods = 1, countersMax = 1_000 } = {}) {
  const changes: string[] = [];
  const book = new LeaseBook({
    counters,
    clock: time,
    holder,
    pods: () => pods,
    storeChanged: (isAway, why) => changes.push(`${isAway ? 'away' : 'back'}: ${why}`),
    countersMax,
  });
  return { book, changes };
}

/** Whose counters tests use. */
export const ORGANISATION = '00000000-0000-4000-8000-000000000001' as OrganisationId;

/** A rule of one counter for the whole organisation that limits nothing yet. */
export const ruleOf = (change: Partial<LimitRule>): LimitRule => ({
  id: '00000000-0000-4000-8000-00000000000a' as LimitId,
  name: 'limit',
  mode: 'enforce',
  windows: [],
  concurrency: null,
  per: new Set(),
  subject: null,
  tokenId: null,
  tool: null,
  ...change,
});

/** Deterministic, and not even. */
export function makeRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** As the gate does it: waits for the store for at most 150 ms, then on credit. */
export async function call(counter: LeasedCounter, time: Time): Promise<boolean> {
  const untilMs = time.nowMs() + 150;
  for (;;) {
    const verdict = counter.take(time.nowMs(), time.nowMs() >= untilMs ? 'share' : 'none');
    if (verdict !== 'ask') return verdict === 'taken';
    const { answered, leave } = counter.wait(time.nowMs());
    await Promise.race([answered, time.after(untilMs - time.nowMs())]);
    leave();
  }
}

/** The most that any window of this length holds. */
export function mostInAWindow(admitted: readonly number[], windowMs: number): number {
  let [most, from] = [0, 0];
  for (let to = 0; to < admitted.length; to += 1) {
    while ((admitted[to] ?? 0) - (admitted[from] ?? 0) >= windowMs) from += 1;
    most = Math.max(most, to - from + 1);
  }
  return most;
}
