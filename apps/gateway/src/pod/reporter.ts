import type { KeyObject } from 'node:crypto';
import { PODS, type OrganisationId, type PodId, type PodReport, type PodState } from '@patchbay/contracts';
import type { Bus } from '@patchbay/ports';
import { authenticateMessage } from '@patchbay/vault';
import type { ControlPlane } from '../directory/control-plane.ts';
import { within } from '../directory/within.ts';
import type { Clock, Log } from '../snapshot/log.ts';
import type { Position } from '../snapshot/position.ts';

/** Tells control planes that this pod is there and what it enforces. */
export type PodReporter = {
  start(): void;
  /** This pod enforces the position, or (not loaded) will load nothing below it. Said at once, together with what else is said in this turn. */
  acknowledge(organisationId: OrganisationId, position: Position, loaded: boolean): void;
  /** A complete report straight to a control plane. False: none took it, so none knows that this pod goes on. */
  post(): Promise<boolean>;
  /** Says at once that the state is another. */
  stateChanged(): void;
  /**
   * Says that this pod ends, once `promiseEnded` says that the next start will serve nothing that it did not hear of anew; nothing is sent
   * afterwards. Says nothing, and leaves the promise, when no control plane would hear it: then they wait for this pod as for a killed one.
   */
  leave(promiseEnded: () => Promise<boolean>): Promise<void>;
};

/** What a report is made of, read when it is sent. */
export type PodFacts = {
  state(): PodState;
  /** Every organisation that is loaded, and those being loaded at position 0.0. */
  loaded(): readonly (Position & { readonly organisationId: OrganisationId })[];
  /** Since when every position is known that existed then, by the monotonic clock; null when never. */
  comparedAtMs(): number | null;
};

export type PodReporterDeps = {
  readonly bus: Bus;
  readonly controlPlane: ControlPlane;
  readonly key: KeyObject;
  readonly podId: PodId;
  readonly stalenessBudgetMs: number;
  readonly facts: PodFacts;
  readonly clock: Clock;
  readonly log: Log;
};

type Line = PodReport['positions'][number];

const POSTED_AT_ONCE = 7;
const LEAVE_WITHIN_MS = 1_000;

export function makePodReporter(deps: PodReporterDeps): PodReporter {
  const { bus, clock, controlPlane, facts, key, log, podId, stalenessBudgetMs } = deps;
  const startedAtMs = clock.nowMs();
  let sequence = 0;
  let timer: NodeJS.Timeout | null = null;
  let acknowledged: Map<OrganisationId, Line> | null = null;
  let reachesBus = true;
  let left = false;

  function message(state: PodState, positions: readonly Line[], report: PodReport['report']): string {
    sequence += 1;
    const comparedAtMs = facts.comparedAtMs();
    const said: PodReport = {
      format: 1,
      podId,
      startedAtMs,
      sequence,
      sentAtMs: clock.nowMs(),
      state,
      stalenessBudgetMs,
      comparedMsAgo: comparedAtMs === null ? null : Math.max(0, Math.ceil(clock.monotonicMs() - comparedAtMs)),
      report,
      positions: [...positions],
    };
    return authenticateMessage(key, JSON.stringify(said));
  }

  function completeReport(): string[] {
    const chunks = chunked(facts.loaded().map(({ epoch, organisationId, revision }): Line => [organisationId, epoch, revision, 1]));
    const first = sequence + 1;
    return chunks.map((chunk) => message(facts.state(), chunk, { first, count: chunks.length }));
  }

  async function publish(messages: readonly string[]): Promise<void> {
    try {
      for (const each of messages) await bus.publish('pods', each);
      reachesBus = true;
    } catch (error) {
      if (reachesBus) log.warn({ err: error }, 'this pod cannot say on the bus where it stands; control planes hear it every 10 s');
      reachesBus = false;
    }
  }

  function heartbeat(): void {
    if (!left) void publish(completeReport());
  }

  function sayAcknowledged(): void {
    const lines = [...(acknowledged?.values() ?? [])];
    acknowledged = null;
    if (left || lines.length === 0) return;
    void publish(chunked(lines).map((chunk) => message(facts.state(), chunk, null)));
  }

  async function post(): Promise<boolean> {
    const messages = completeReport();
    for (let from = 0; from < messages.length; from += POSTED_AT_ONCE) {
      if (!(await controlPlane.report(messages.slice(from, from + POSTED_AT_ONCE)))) return false;
    }
    return true;
  }

  return {
    start() {
      timer = setInterval(heartbeat, PODS.heartbeatEveryMs);
      timer.unref();
      heartbeat();
    },
    acknowledge(organisationId, { epoch, revision }, loaded) {
      if (acknowledged === null) {
        acknowledged = new Map();
        setImmediate(sayAcknowledged);
      }
      acknowledged.set(organisationId, [organisationId, epoch, revision, loaded ? 1 : 0]);
    },
    post,
    stateChanged: heartbeat,
    async leave(promiseEnded) {
      if (left) return;
      if (timer !== null) clearInterval(timer);
      const isHeard = await within(post(), LEAVE_WITHIN_MS, false);
      left = true;
      if (!isHeard || !(await promiseEnded())) return;
      const last = message('leaving', [], null);
      await within(Promise.all([publish([last]), controlPlane.report([last])]), LEAVE_WITHIN_MS, null);
    },
  };
}

/** At least one, so that a pod without organisations is heard too. */
function chunked(lines: readonly Line[]): Line[][] {
  const chunks: Line[][] = [];
  for (let from = 0; from === 0 || from < lines.length; from += PODS.positionsMax) chunks.push(lines.slice(from, from + PODS.positionsMax));
  return chunks;
}
