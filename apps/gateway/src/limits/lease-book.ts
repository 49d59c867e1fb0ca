import type { OrganisationId } from '@patchbay/contracts';
import type { Counters } from '@patchbay/ports';
import type { LimitRule } from './compile-limits.ts';
import { LeasedCounter } from './leased-counter.ts';
import type { SlotStore } from './slot-lease.ts';
import { type HealthListener, StoreHealth } from './store-health.ts';
import type { WindowStore } from './window-lease.ts';

export type LeaseBookDeps = {
  readonly counters: Counters;
  /** Monotonic: what a pod counts itself must not follow a clock that is set. */
  readonly clock: { nowMs(): number };
  /** This process, to the store. */
  readonly holder: string;
  /** Live pods of the fleet, this one included, as far as is known. */
  readonly pods: () => number;
  readonly storeChanged: HealthListener;
  /** Left away: COUNTERS_MAX. */
  readonly countersMax?: number;
};

/** Counters in memory. Beyond it those not used for longest are dropped and give back what they hold; about 2 KB each. */
const COUNTERS_MAX = 10_000;
/** How often `tick` wants to be called. */
export const TICK_MS = 50;

/** All that this pod counts, by organisation and counter. No organisation reaches a counter of another. */
export class LeaseBook {
  readonly #deps: LeaseBookDeps;
  readonly #countersMax: number;
  readonly #health: StoreHealth;
  /** The one used first after it was last passed over comes first. */
  readonly #counters = new Map<string, LeasedCounter>();
  readonly #active = new Set<LeasedCounter>();
  #dropped = 0;

  constructor(deps: LeaseBookDeps) {
    this.#deps = deps;
    this.#countersMax = deps.countersMax ?? COUNTERS_MAX;
    this.#health = new StoreHealth(deps.clock, deps.storeChanged);
  }

  /** Whether the store is away, so that this pod goes by its own share. */
  get isStoreAway(): boolean {
    return this.#health.isAway;
  }

  get size(): number {
    return this.#counters.size;
  }

  /** How often a counter was dropped to make room. */
  get dropped(): number {
    return this.#dropped;
  }

  /** The counter of this name, made when there is none, going by `rule` from now on. */
  counter(organisationId: OrganisationId, key: string, rule: LimitRule): LeasedCounter {
    const name = `${organisationId} ${key}`;
    const known = this.#counters.get(name);
    if (known !== undefined) {
      if (known.rule !== rule) known.redefine(rule);
      known.wasUsed = true;
      return known;
    }
    if (this.#counters.size >= this.#countersMax) this.#dropOne();
    const { clock, pods } = this.#deps;
    const deps = { clock, pods, health: this.#health, activated: (each: LeasedCounter): void => void this.#active.add(each) };
    const counter = new LeasedCounter(rule, deps, this.#storeOf(organisationId, key));
    this.#counters.set(name, counter);
    return counter;
  }

  /** The store has answered another question of this pod. */
  storeAnswered(): void {
    this.#health.answered();
  }

  /** Gives back, renews and looks again, for all counters that were used lately. */
  tick(): void {
    const nowMs = this.#deps.clock.nowMs();
    this.#health.tick(nowMs);
    for (const counter of this.#active) if (!counter.tick(nowMs)) this.#active.delete(counter);
  }

  /** Gives everything back. Resolves when the store has taken it, or cannot. */
  async close(): Promise<void> {
    await Promise.all([...this.#active].map((counter) => counter.close()));
  }

  #storeOf(organisationId: OrganisationId, key: string): WindowStore & SlotStore {
    const { counters, holder } = this.#deps;
    return {
      take: (windows, wanted) => counters.take(organisationId, key, { windows, wanted }),
      giveBack: (windows, permits, chargedAtMs) => counters.giveBack(organisationId, key, { windows, permits, chargedAtMs }),
      hold: (max, wanted, ttlMs) => counters.hold(organisationId, key, { holder, max, wanted, ttlMs }),
    };
  }

  /** Passes over each that was used since it was last passed over, and each that a call holds. */
  #dropOne(): void {
    // Where calls hold all of them, one more is made than there should be.
    let looks = 2 * this.#counters.size;
    for (const [name, counter] of this.#counters) {
      if ((looks -= 1) < 0) return;
      this.#counters.delete(name);
      if (counter.wasUsed || counter.isInUse) {
        counter.wasUsed = false;
        this.#counters.set(name, counter);
        continue;
      }
      this.#dropped += 1;
      this.#active.delete(counter);
      void counter.close();
      return;
    }
  }
}
