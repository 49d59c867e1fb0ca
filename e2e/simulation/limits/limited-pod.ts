import type { Principal, Revision } from '@patchbay/contracts';
import { compileLimits } from '../../../apps/gateway/dist/limits/compile-limits.js';
import type { Admitted } from '../../../apps/gateway/dist/limits/limit-gate.js';
import { makeLimits, type Limits } from '../../../apps/gateway/dist/limits/make-limits.js';
import type { Owner } from '../scheduler.ts';
import { ORGANISATION, type Limit, type LimitedServer } from './limited.ts';
import type { LimitsWorld } from './limits-world.ts';

type Refusal = Extract<Awaited<ReturnType<Limits['admit']>>, { code: unknown }>;
/** What a caller was told. `saidAway`: when it was decided, the pod said that it goes by its share. */
export type Decision = { readonly outcome: Admitted | Refusal; readonly saidAway: boolean; readonly waitedMs: number; readonly life: Life };

/** One process of a pod. */
export type Life = {
  readonly owner: Owner;
  readonly number: number;
  readonly limits: Limits;
  readonly gauges: Map<string, () => Iterable<readonly [object, number]>>;
  /** When its log last said that the store is away, or back. */
  said: 'away' | 'back';
};

const COMMAND_TIMEOUT_MS = 5_000;
/** Calls of ours have ended by then. */
const DRAINED_MS = 4_200;
const CALL = { organisationId: ORGANISATION, organisationSlug: 'acme', revision: 1 as Revision };

/** One gateway's limits as it makes them, over the simulated store. Its processes come and go. */
export class LimitedPod {
  readonly name: string;
  readonly #world: LimitsWorld;
  #life: Life | null = null;
  #lives = 0;
  #compiled = new Map<string, { readonly of: LimitedServer['limits']; readonly limits: NonNullable<ReturnType<typeof compileLimits>> }>();

  constructor(world: LimitsWorld, name: string) {
    this.#world = world;
    this.name = name;
  }

  get life(): Life | null {
    return this.#life;
  }

  start(): void {
    if (this.#life !== null) return;
    const { mutation, network, scheduler, store, trace } = this.#world;
    trace.note(`${this.name} starts`);
    this.#compiled = new Map();
    const owner: Owner = { name: this.name, alive: true };
    const gauges: Life['gauges'] = new Map();
    const timeoutMs = COMMAND_TIMEOUT_MS;
    const counters = store.portOver((work) => network.request(this.name, this.#world.storePlace, { timeoutMs, work }));
    const say = (said: Life['said']): void => this.#world.rules.said(this, life, said);
    const log = { warn: () => say('away'), info: () => say('back') };
    const deps = { counters: mutation.counters(counters), metrics: metricsInto(gauges), log };
    const limits = scheduler.as(owner, () => makeLimits(deps));
    const life: Life = { owner, number: (this.#lives += 1), limits, gauges, said: 'back' };
    this.#life = life;
  }

  kill(): void {
    if (this.#life === null) return;
    this.#world.trace.note(`${this.name} is killed`);
    this.#life.owner.alive = false;
    this.#world.rules.ended(this.#life);
    this.#life = null;
  }

  /** An orderly end: no new calls, and when those at work have ended, what is leased goes back. */
  async stop(): Promise<void> {
    const life = this.#life;
    if (life === null) return;
    const { rules, scheduler, trace } = this.#world;
    trace.note(`${this.name} stops`);
    this.#life = null;
    await scheduler.sleep(DRAINED_MS);
    await scheduler.as(life.owner, () => life.limits.close());
    rules.ended(life);
    life.owner.alive = false;
  }

  /** Asks whether a call may be sent; null when there is no pod, or none any more. */
  async ask(server: LimitedServer, principal: Principal): Promise<Decision | null> {
    const life = this.#life;
    if (life === null) return null;
    const { scheduler } = this.#world;
    const askedAtMs = scheduler.nowMs;
    const call = {
      limits: this.#limitsOf(server),
      snapshot: CALL,
      principal,
      serverId: server.id,
      object: { kind: 'tool', name: 'echo' } as const,
    };
    const asked = scheduler.as(life.owner, () => life.limits.admit(call));
    const outcome = asked instanceof Promise ? await asked : asked;
    return life.owner.alive ? { outcome, saidAway: isAway(life), waitedMs: scheduler.nowMs - askedAtMs, life } : null;
  }

  release(life: Life, { admission }: Admitted): void {
    if (life.owner.alive && admission !== null) this.#world.scheduler.as(life.owner, () => life.limits.release(admission));
  }

  /** Compiled anew when the limits have changed, as with each revision. */
  #limitsOf({ id, limits }: LimitedServer): NonNullable<ReturnType<typeof compileLimits>> {
    const known = this.#compiled.get(id);
    if (known?.of === limits) return known.limits;
    const { limits: change = (of: Limit): Limit => of } = this.#world.mutation;
    const compiled = compileLimits(limits.map((limit) => change(limit)));
    if (compiled === null) throw new Error('a server without limits');
    this.#compiled.set(id, { of: limits, limits: compiled });
    return compiled;
  }
}

/** Whether this pod says that the counters cannot be reached. */
export function isAway(life: Life): boolean {
  return gaugeOf(life, 'patchbay_gateway_limit_store_away') === 1;
}

/** How many pods there are, as this one says. */
export function podsOf(life: Life): number {
  return gaugeOf(life, 'patchbay_gateway_limit_pods');
}

function gaugeOf({ gauges }: Life, name: string): number {
  for (const [, value] of gauges.get(name)?.() ?? []) return value;
  throw new Error(`no gauge ${name}`);
}

function metricsInto(gauges: Life['gauges']): Parameters<typeof makeLimits>[0]['metrics'] {
  const silent = { labels: () => ({ inc: () => undefined }) };
  return {
    counter: () => silent,
    read: ({ name }: { name: string }, read: () => Iterable<readonly [object, number]>) => gauges.set(name, read),
  } as never;
}
