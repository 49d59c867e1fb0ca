import { ControlPlane } from './control-plane.ts';
import { Invariants } from './invariants.ts';
import { Network } from './network.ts';
import { Pod } from './pod.ts';
import { Random } from './random.ts';
import { Scheduler } from './scheduler.ts';
import type { Mutation } from './settings.ts';
import { Signatures } from './signer.ts';
import { Store } from './store.ts';
import { Trace } from './trace.ts';
import { Truth } from './truth.ts';

/** Everything of one run, decided by its seed. */
export class World {
  readonly random: Random;
  readonly scheduler = new Scheduler();
  readonly trace = new Trace(() => this.scheduler.nowMs);
  readonly signatures: Signatures;
  readonly network: Network;
  readonly store: Store;
  readonly truth: Truth;
  readonly invariants: Invariants;
  readonly controlPlanes: readonly ControlPlane[];
  readonly pods: readonly Pod[];

  constructor(seed: number, mutation: Mutation = (deps) => deps) {
    this.random = new Random(seed);
    this.signatures = new Signatures(this.random, this.scheduler);
    this.network = new Network(this.random, this.scheduler);
    this.store = new Store(this.network, this.random, this.scheduler);
    this.truth = new Truth(this.random, this.scheduler);
    this.invariants = new Invariants(this);
    this.controlPlanes = ['cp1', 'cp2'].map((name) => new ControlPlane(this, name));
    this.pods = ['pod1', 'pod2', 'pod3'].slice(0, this.random.whole(1, 3)).map((name) => new Pod(this, name, mutation));
    this.network.answered = (name, asked) => {
      if (asked === 'store') this.pods.find((pod) => pod.name === name)?.readStores();
    };
  }

  /** True wall-clock time. */
  wallMs(): number {
    return 1_800_000_000_000 + Math.floor(this.scheduler.nowMs);
  }
}
