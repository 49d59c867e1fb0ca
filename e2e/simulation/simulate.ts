import { attack } from './attacker.ts';
import { disturb } from './chaos.ts';
import { checkHealed, HEALED_WITHIN_MS } from './healed.ts';
import { runStages, type StagesRun } from './run-stages.ts';
import type { Mutation } from './settings.ts';
import { World } from './world.ts';

/** What came of one seed. */
export type Run = StagesRun & {
  readonly seed: number;
  readonly calls: number;
  readonly admitted: number;
  readonly confirmations: number;
  readonly onTrust: number;
};

/** `mutation`: what is broken on purpose; `happens`: what goes wrong each time, instead of anything that can. */
export type How = { mutation?: Mutation; happens?: (world: World) => void };

/** Runs one seed: a start, a time of trouble, and healing; the rules are checked throughout. The same seed does the same. */
export async function simulate(seed: number, { mutation, happens = disturb }: How = {}): Promise<Run> {
  const world = new World(seed, mutation);
  const run = await runStages(world, [() => troubled(world, happens), () => healed(world)]);
  const { calls, admitted, confirmations, onTrust } = world.invariants;
  return { ...run, seed, calls, admitted, confirmations, onTrust };
}

async function troubled(world: World, happens: (world: World) => void): Promise<void> {
  const { random, scheduler } = world;
  for (const controlPlane of world.controlPlanes) controlPlane.start();
  await scheduler.runUntil(50);
  for (const pod of world.pods) scheduler.plan(random.between(0, 2_000), () => pod.start());
  await scheduler.runUntil(3_000);
  const hasAttacker = random.chance(0.6);
  // Mostly dense; now and then so thin that leases, budgets and the memory of invalidations run out in between.
  const paceMs = random.pick([200, 1_000, 4_000, 30_000]);
  const deeds = random.whole(10, 60);
  const calling = call(world, random.pick([50, 300, 1_500]));
  for (let deed = 0; deed < deeds; deed += 1) {
    await scheduler.runUntil(scheduler.nowMs + random.between(0, 2 * paceMs));
    if (hasAttacker && random.chance(0.35)) attack(world);
    else happens(world);
    world.invariants.positions();
    void world.invariants.confirm();
  }
  await scheduler.runUntil(scheduler.nowMs + 1_000);
  calling.end();
}

/** Calls with good, revoked and foreign tokens, at random pods. */
function call(world: World, everyMs: number): { end(): void } {
  const { invariants, random, scheduler, truth } = world;
  let ended = false;
  const next = (): void => {
    if (ended) return;
    scheduler.plan(random.between(0, 2 * everyMs), next);
    invariants.positions();
    const pod = random.pick(world.pods);
    if (!pod.isAlive) return;
    const organisation = random.pick(truth.organisations);
    const from = random.chance(0.05) ? random.pick(truth.organisations) : organisation;
    invariants.call(pod, organisation, random.pick([...from.tokens.values()])).catch((error: unknown) => scheduler.fault(error as Error));
  };
  next();
  return { end: () => void (ended = true) };
}

async function healed(world: World): Promise<void> {
  const { scheduler, store, network, trace } = world;
  trace.note('everything heals');
  network.heal();
  store.setUp(true);
  store.bus = { lossChance: 0, repeatChance: 0, slowMs: 0 };
  for (const one of [...world.controlPlanes, ...world.pods]) {
    one.skewMs = 0;
    one.start();
  }
  await scheduler.runUntil(scheduler.nowMs + HEALED_WITHIN_MS);
  await checkHealed(world);
}
