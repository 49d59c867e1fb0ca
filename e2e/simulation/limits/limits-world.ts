import type { Counters } from '@patchbay/ports';
import { Network, type Place } from '../network.ts';
import { Random } from '../random.ts';
import { Scheduler } from '../scheduler.ts';
import { Trace } from '../trace.ts';
import { CounterStore } from './counter-store.ts';
import { limitedServer, type Limit, type LimitedServer } from './limited.ts';
import { LimitedPod } from './limited-pod.ts';
import { LimitRules } from './limits-rules.ts';

/** What a test breaks on purpose, to see that it is noticed. */
export type LimitsMutation = {
  /** The store, as a pod sees it. */
  counters(of: Counters): Counters;
  /** What a pod is told to enforce. */
  limits?(of: Limit): Limit;
};

export const UNBROKEN: LimitsMutation = { counters: (of) => of };

/** Everything of one run about limits, decided by its seed. */
export class LimitsWorld {
  readonly random: Random;
  readonly scheduler = new Scheduler();
  readonly trace = new Trace(() => this.scheduler.nowMs);
  readonly network: Network;
  readonly storePlace: Place = { name: 'store', process: { name: 'store', alive: true } };
  readonly store: CounterStore;
  readonly servers: readonly LimitedServer[];
  readonly pods: readonly LimitedPod[];
  readonly rules: LimitRules;
  readonly mutation: LimitsMutation;
  /** How far the store's clock is off. */
  storeSkewMs = 0;

  constructor(seed: number, mutation: LimitsMutation) {
    this.mutation = mutation;
    this.random = new Random(seed);
    this.network = new Network(this.random, this.scheduler);
    this.store = new CounterStore(() => 1_800_000_000_000 + this.scheduler.nowMs + this.storeSkewMs);
    this.servers = ['one', 'two'].slice(0, this.random.whole(1, 2)).map((id) => limitedServer(id, this.random));
    this.pods = ['pod1', 'pod2', 'pod3'].slice(0, this.random.pick([1, 2, 3, 3])).map((name) => new LimitedPod(this, name));
    this.rules = new LimitRules(this);
  }

  setStore(isUp: boolean): void {
    this.trace.note(isUp ? 'the store is back' : 'the store is away');
    this.storePlace.process = isUp ? { name: 'store', alive: true } : null;
    for (const { name } of this.pods) this.rules.troubled(name);
  }

  emptyStore(): void {
    this.trace.note('the store lost its data');
    this.store.empty();
    this.rules.forgot();
  }

  /** An attacker answers for the store, or no longer does. */
  setLies(lies: boolean): void {
    this.trace.note(lies ? 'the store grants whatever is asked' : 'the store tells the truth');
    this.store.lies = lies;
    this.rules.lied();
  }

  setStoreClock(skewMs: number): void {
    this.trace.note(`the store's clock is ${(skewMs / 1000).toFixed(1)} s off`);
    if (skewMs > this.storeSkewMs) this.rules.forgot();
    this.storeSkewMs = skewMs;
    for (const { name } of this.pods) this.rules.troubled(name);
  }
}
