import type { Principal } from '@patchbay/contracts';
import type { Refusal } from '@patchbay/errors';
import { within } from '../directory/within.ts';
import type { CallObject } from '../pipeline/context.ts';
import type { CompiledSnapshot } from '../snapshot/compiled.ts';
import { appliesTo, type CompiledLimits, counterKey, type LimitRule, type ServerLimits } from './compile-limits.ts';
import type { Admission, CounterSet } from './counter-set.ts';
import { limitExceeded } from './limit-exceeded.ts';
import type { LeaseBook } from './lease-book.ts';
import type { LeasedCounter } from './leased-counter.ts';
import type { Credit } from './window-lease.ts';

/** A call about to be sent to a server. */
export type LimitedCall = {
  readonly limits: CompiledLimits;
  readonly snapshot: Pick<CompiledSnapshot, 'organisationId' | 'organisationSlug' | 'revision'>;
  readonly principal: Principal;
  readonly serverId: string;
  readonly object: CallObject;
};

/** `audited`: the id of the first limit in audit mode that would have refused the call; empty when none would. */
export type Admitted = { readonly admission: Admission | null; readonly audited: string };

/** `refused` in mode `audit`: would have been, and was sent all the same. */
export type Decided = (organisation: string, mode: LimitRule['mode'], outcome: 'admitted' | 'refused') => void;

export type LimitGateDeps = {
  readonly book: LeaseBook;
  readonly clock: { nowMs(): number };
  /** Told once a call for each mode that any of its limits has. */
  readonly decided: Decided;
};

/** Decides whether a call is within its limits, and ends what it holds. */
export type LimitGate = {
  /** Synchronous unless a counter is cold or its lease is used up, and then not for longer than WAIT_MS. */
  admit(call: LimitedCall): Admitted | Refusal | Promise<Admitted | Refusal>;
  /** The call has ended, however it did. */
  release(admission: Admission): void;
};

/** A call waits for the store at most this long, then its pod's share decides. */
const WAIT_MS = 150;
/** A wait that ends this late: this process stood still or was busy, and the store gets its time again, as after an answer that came last. */
const STOOD_STILL_MS = 50;

const NOTHING_HELD: Admitted = { admission: null, audited: '' };

export function makeLimitGate({ book, clock, decided }: LimitGateDeps): LimitGate {
  function conclude(call: LimitedCall, set: CounterSet, refused: LeasedCounter | null): Admitted | Refusal {
    const organisation = call.snapshot.organisationSlug;
    const nowMs = clock.nowMs();
    if (set.enforce.length > 0) decided(organisation, 'enforce', refused === null ? 'admitted' : 'refused');
    if (refused !== null) return limitExceeded(refused, { nowMs, revision: call.snapshot.revision, isShare: book.isStoreAway });
    if (set.audit.length === 0) return set.whole;
    const over = set.audit.filter((counter) => counter.take(nowMs, 'whole') !== 'taken');
    decided(organisation, 'audit', over.length === 0 ? 'admitted' : 'refused');
    const [first] = over;
    if (first === undefined) return set.whole;
    return { admission: admissionOf([...set.enforce, ...set.audit.filter((counter) => !over.includes(counter))]), audited: first.rule.id };
  }

  async function later(call: LimitedCall, lacking: readonly LeasedCounter[]): Promise<Admitted | Refusal> {
    let untilMs = clock.nowMs() + WAIT_MS;
    let asked = lacking;
    for (;;) {
      const nowMs = clock.nowMs();
      const waits = asked.map((counter) => counter.wait(nowMs));
      const all = Promise.all(waits.map(({ answered }) => answered)).then(() => true);
      const isAnswered = await within(all, Math.max(0, untilMs - nowMs), false);
      for (const { leave } of waits) leave();
      const lateMs = clock.nowMs() - untilMs;
      if (lateMs > STOOD_STILL_MS || (lateMs >= 0 && isAnswered)) untilMs = clock.nowMs() + WAIT_MS;
      // A counter may have been dropped meanwhile.
      const set = setOf(book, call);
      const outcome = takeAll(set.enforce, clock.nowMs(), clock.nowMs() >= untilMs ? 'share' : 'none');
      if (!Array.isArray(outcome)) return conclude(call, set, outcome);
      asked = outcome;
    }
  }

  return {
    admit(call) {
      const set = setOf(book, call);
      if (set.enforce.length === 0 && set.audit.length === 0) return NOTHING_HELD;
      const outcome = takeAll(set.enforce, clock.nowMs(), 'none');
      return Array.isArray(outcome) ? later(call, outcome) : conclude(call, set, outcome);
    },
    release({ slots }) {
      const nowMs = clock.nowMs();
      for (const counter of slots) counter.release(nowMs);
    },
  };
}

/** Takes from all of them or from none. null: from all; else the one that refused, or those that only the store can answer for. */
function takeAll(counters: readonly LeasedCounter[], nowMs: number, credit: Credit): null | LeasedCounter | LeasedCounter[] {
  let lacking: LeasedCounter[] | null = null;
  for (let index = 0; index < counters.length; index += 1) {
    const counter = counters[index] as LeasedCounter;
    const verdict = counter.take(nowMs, credit);
    if (verdict === 'taken') {
      if (lacking !== null) counter.undo();
      continue;
    }
    if (lacking === null) for (let before = 0; before < index; before += 1) counters[before]?.undo();
    if (verdict === 'refused') return counter;
    lacking = [...(lacking ?? []), counter];
  }
  return lacking;
}

/** The counters of this caller and object, made on their first call and again when the book has dropped any. */
function setOf(book: LeaseBook, call: LimitedCall): CounterSet {
  const { limits, object, principal, serverId } = call;
  const ofServer = limits.ofServer(serverId);
  let byTool = ofServer.sets.get(principal);
  if (byTool === undefined) {
    byTool = new Map();
    ofServer.sets.set(principal, byTool);
  }
  const tool = object.kind === 'tool' ? object.name : null;
  const known = byTool.get(tool);
  if (known !== undefined && known.dropped === book.dropped) return known;
  const made = makeSet(book, call, ofServer);
  byTool.set(tool, made);
  return made;
}

function makeSet(book: LeaseBook, { object, principal, serverId, snapshot }: LimitedCall, { rules }: ServerLimits): CounterSet {
  const counters = rules
    .filter((rule) => appliesTo(rule, principal, object))
    .map((rule) => book.counter(snapshot.organisationId, counterKey(rule, principal, serverId, object), rule));
  return {
    enforce: counters.filter(({ rule }) => rule.mode === 'enforce'),
    audit: counters.filter(({ rule }) => rule.mode === 'audit'),
    whole: { admission: admissionOf(counters), audited: '' },
    dropped: book.dropped,
  };
}

function admissionOf(counters: readonly LeasedCounter[]): Admission | null {
  const slots = counters.filter(({ rule }) => rule.concurrency !== null);
  return slots.length === 0 ? null : { slots };
}
