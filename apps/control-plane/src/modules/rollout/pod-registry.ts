import { PODS, type OrganisationId, type PodId, type PodReport, type PodState } from '@patchbay/contracts';

/** Where an organisation stands, or below which a pod will not load it. */
export type Position = { readonly epoch: number; readonly revision: number };

type Raise = Position & { readonly atMs: number };

/** What one pod said of one organisation. Only grows. */
export type Said = {
  /** Oldest first: since when it stood where. */
  readonly raises: readonly Raise[];
  /** The message that last listed it as loaded or being loaded. */
  readonly loadedAt: number;
};

/** A report of which every message has arrived: what it does not list is not loaded. */
export type CompleteReport = {
  readonly first: number;
  /** When its first message arrived. */
  readonly heardAtMs: number;
  readonly comparedMsAgo: number | null;
  /** Whether the pod's clock and ours agree on when it was sent. */
  readonly prompt: boolean;
};

/** One pod as far as this control plane knows. Times are of this process's monotonic clock. */
export type Pod = {
  readonly podId: PodId;
  readonly stalenessBudgetMs: number;
  readonly heardAtMs: number;
  readonly leasedUntilMs: number;
  /** null: other control planes alone have heard it. */
  readonly state: PodState | null;
  readonly said: ReadonlyMap<OrganisationId, Said>;
  readonly complete: CompleteReport | null;
};

/** A pod that some control plane has heard, from the database they share. */
export type RememberedPod = { readonly podId: PodId; readonly stalenessBudgetMs: number; readonly heardMsAgo: number };

export type Arrival = {
  readonly nowMs: number;
  /** How far the message's time of sending is from ours, by wall clocks. */
  readonly ageMs: number;
  readonly way: 'bus' | 'internal';
};

type Held = Omit<{ -readonly [K in keyof Pod]: Pod[K] }, 'said'> & {
  sequence: number;
  readonly said: Map<OrganisationId, Said>;
  collecting: (CompleteReport & { missing: number }) | null;
};

const RAISES_MAX = 32;
/** A report to the internal listener comes with each comparison: it holds the lease until a little after the next. */
const LEASE_BY_INTERNAL_MS = PODS.compareEveryMs + 2_000;
/** A pod that left is remembered for longer than its messages may be delayed, so that none of them brings it back. */
const LEFT_KEPT_MS = 4 * PODS.messageAgeMaxMs;

/** Who is there and where they stand, in memory. Takes messages that were proved genuine; an old one sent again changes nothing. */
export class PodRegistry {
  readonly #pods = new Map<PodId, Held>();
  readonly #leftAtMs = new Map<PodId, number>();

  /** False for a message that is not newer than what this pod has said before. */
  take(report: PodReport, arrival: Arrival): boolean {
    if (this.#leftAtMs.has(report.podId)) return false;
    const pod = this.#pods.get(report.podId) ?? newPod(report);
    if (report.sequence <= pod.sequence) return false;
    pod.sequence = report.sequence;
    if (report.state === 'leaving') {
      this.#pods.delete(report.podId);
      this.#leftAtMs.set(report.podId, arrival.nowMs);
      return true;
    }
    this.#pods.set(report.podId, pod);
    pod.state = report.state;
    pod.stalenessBudgetMs = report.stalenessBudgetMs;
    pod.heardAtMs = arrival.nowMs;
    const lease = arrival.way === 'bus' ? PODS.leaseMs : LEASE_BY_INTERNAL_MS;
    pod.leasedUntilMs = Math.max(pod.leasedUntilMs, arrival.nowMs + lease);
    for (const [organisationId, epoch, revision, loaded] of report.positions)
      say(pod, organisationId, { epoch, revision, atMs: arrival.nowMs, loadedAt: loaded === 1 ? report.sequence : 0 });
    collect(pod, report, arrival);
    return true;
  }

  /** What other control planes heard. It gives no lease: what such a pod enforces is not known here. */
  remember(remembered: readonly RememberedPod[], nowMs: number): void {
    for (const { heardMsAgo, podId, stalenessBudgetMs } of remembered) {
      if (this.#leftAtMs.has(podId)) continue;
      const pod = this.#pods.get(podId) ?? newPod({ podId, stalenessBudgetMs });
      pod.heardAtMs = Math.max(pod.heardAtMs, nowMs - heardMsAgo);
      this.#pods.set(podId, pod);
    }
  }

  /** Those that may serve: with a lease, or not heard from for less than their staleness budget. Forgets the others. */
  pods(nowMs: number): readonly Pod[] {
    for (const [podId, { heardAtMs, leasedUntilMs, stalenessBudgetMs }] of this.#pods) {
      if (nowMs > leasedUntilMs && nowMs > heardAtMs + stalenessBudgetMs) this.#pods.delete(podId);
    }
    for (const [podId, leftAtMs] of this.#leftAtMs) {
      if (nowMs > leftAtMs + LEFT_KEPT_MS) this.#leftAtMs.delete(podId);
    }
    return [...this.#pods.values()];
  }
}

function newPod({ podId, stalenessBudgetMs }: { podId: PodId; stalenessBudgetMs: number }): Held {
  const heard = { heardAtMs: Number.NEGATIVE_INFINITY, leasedUntilMs: Number.NEGATIVE_INFINITY };
  return { podId, stalenessBudgetMs, ...heard, state: null, said: new Map(), complete: null, sequence: 0, collecting: null };
}

function say(pod: Held, organisationId: OrganisationId, { loadedAt, ...raise }: Raise & { loadedAt: number }): void {
  const before = pod.said.get(organisationId);
  const last = before?.raises.at(-1);
  const raises = before?.raises ?? [];
  pod.said.set(organisationId, {
    raises: last !== undefined && !isBelow(last, raise) ? raises : [...raises.slice(1 - RAISES_MAX), raise],
    loadedAt: Math.max(before?.loadedAt ?? 0, loadedAt),
  });
}

function collect(pod: Held, { report, comparedMsAgo }: PodReport, { ageMs, nowMs }: Arrival): void {
  if (report === null) return;
  if (pod.collecting?.first !== report.first) {
    const prompt = ageMs <= PODS.messageAgeMaxMs;
    pod.collecting = { first: report.first, missing: report.count, heardAtMs: nowMs, comparedMsAgo, prompt };
  }
  pod.collecting.missing -= 1;
  if (pod.collecting.missing > 0) return;
  pod.complete = pod.collecting;
  pod.collecting = null;
}

/** Whether `a` comes before `b`. A new epoch outranks every revision of the one before. */
export function isBelow(a: Position, b: Position): boolean {
  return a.epoch === b.epoch ? a.revision < b.revision : a.epoch < b.epoch;
}
