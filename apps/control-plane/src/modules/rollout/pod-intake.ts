import { performance } from 'node:perf_hooks';
import { Injectable } from '@nestjs/common';
import { PODS, PodReport } from '@patchbay/contracts';
import { messageKey, openMessage } from '@patchbay/vault';
import type { KeyObject } from 'node:crypto';
import type { PodSeen } from '../../ops/meters.ts';
import { Platform } from '../../platform.ts';
import { PodRegistry, type Arrival, type Pod } from './pod-registry.ts';
import { RevisionsSeen } from './revisions-seen.ts';

/** Since the start, by what became of them. */
export type PodMessageCounts = { taken: number; forged: number; malformed: number; replayed: number; delayed: number };

const REFRESH_EVERY_MS = 5_000;
/** Every pod that can reach a control plane has reported to one by then. */
const KNOWS_AFTER_MS = PODS.compareEveryMs + 2_000;

/** Hears pods, on the bus and on the internal listener, and remembers them where a successor finds them. */
@Injectable()
export class PodIntake {
  readonly counts: PodMessageCounts = { taken: 0, forged: 0, malformed: 0, replayed: 0, delayed: 0 };
  readonly seen = new RevisionsSeen();
  readonly #registry = new PodRegistry();
  readonly #key: KeyObject;
  #subscription: { close(): Promise<void> } | null = null;
  #timer: NodeJS.Timeout | null = null;
  #knowsFromMs = Number.POSITIVE_INFINITY;

  constructor(private readonly platform: Platform) {
    platform.meters.watchPods(
      () => this.#seen(),
      () => this.counts,
    );
    this.#key = messageKey(platform.config.gatewaySecret, PODS.keyPurpose);
  }

  /** Resolves when those are known that other control planes, or this one before, have heard. */
  async start(): Promise<void> {
    await this.refresh();
    this.#subscription = await this.platform.stores.bus.subscribe('pods', {
      onMessage: (message) => void this.#take(message, 'bus'),
      // Nothing to do: the next heartbeats say all of it again.
      onGap: () => undefined,
    });
    this.#knowsFromMs = performance.now() + KNOWS_AFTER_MS;
    this.#timer = setInterval(() => {
      this.refresh().catch((error: unknown) => this.platform.logger.warn({ err: error }, 'the pods that others heard cannot be read'));
    }, REFRESH_EVERY_MS);
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.#subscription?.close();
  }

  /** What a pod posted. Resolves when a successor of this process would know of the pod; rejects when that cannot be written. */
  async posted(messages: readonly string[]): Promise<void> {
    for (const message of messages) {
      const report = this.#take(message, 'internal');
      if (report === null) continue;
      if (report.state === 'leaving') await this.platform.lookups.podLeft(report.podId);
      else await this.platform.lookups.podHeard(report.podId, report.stalenessBudgetMs);
    }
  }

  /** Reads what other control planes have heard, and where the organisations stand. */
  async refresh(): Promise<void> {
    const { lookups } = this.platform;
    const [pods, positions] = await Promise.all([lookups.podsHeard(), lookups.positions()]);
    this.#registry.remember(pods, performance.now());
    for (const position of positions) this.seen.saw(position.organisationId, position, performance.now());
  }

  pods(): readonly Pod[] {
    return this.#registry.pods(performance.now());
  }

  /** Each of them as metrics name it. */
  #seen(): PodSeen[] {
    const nowMs = performance.now();
    return this.pods().map(({ leasedUntilMs, state }) =>
      nowMs > leasedUntilMs || state === null || state === 'leaving' ? 'not-heard-from' : state,
    );
  }

  /** Whether this process has listened for long enough: before, a pod may be there that it has not heard. */
  knowsWhoIsThere(): boolean {
    return performance.now() >= this.#knowsFromMs;
  }

  #take(message: string, way: Arrival['way']): PodReport | null {
    const text = openMessage(this.#key, message);
    if (text === null) return this.#dropped('forged');
    const parsed = PodReport.safeParse(parse(text));
    if (!parsed.success) return this.#dropped('malformed');
    const report = parsed.data;
    const ageMs = Math.abs(this.platform.clock.now().getTime() - report.sentAtMs);
    // What came from the pod itself cannot have been held back by others; its clock may be wrong all the same.
    if (way === 'bus' && ageMs > PODS.messageAgeMaxMs) return this.#dropped('delayed');
    const isNew = this.#registry.take(report, { nowMs: performance.now(), ageMs, way });
    // A pod says goodbye both ways with one message, and what is written of it goes whichever came first.
    if (!isNew && !(way === 'internal' && report.state === 'leaving')) return this.#dropped('replayed');
    this.counts.taken += 1;
    return report;
  }

  #dropped(why: Exclude<keyof PodMessageCounts, 'taken'>): null {
    this.counts[why] += 1;
    return null;
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
