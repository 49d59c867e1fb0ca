import { runStages, type StagesRun } from '../run-stages.ts';
import { disturbLimits } from './limits-chaos.ts';
import { LimitsWorld, UNBROKEN, type LimitsMutation } from './limits-world.ts';
import { checkSteady, HEALED_WITHIN_MS } from './steady.ts';
import { fullLoadPerSecond } from './limited.ts';
import { load } from './load.ts';

/** What came of one seed. */
export type LimitsRun = StagesRun & { readonly seed: number; readonly calls: number; readonly admitted: number };

/** `mutation`: what is broken on purpose; `deeds`: how much goes wrong, where it is not for the seed to say. */
export type HowLimits = { mutation?: LimitsMutation; deeds?: number };

/** Runs one seed: calls through a time of trouble, healing, and what must hold then. The same seed does the same. */
export async function simulateLimits(seed: number, { mutation = UNBROKEN, deeds }: HowLimits = {}): Promise<LimitsRun> {
  const world = new LimitsWorld(seed, mutation);
  const run = await runStages(world, [
    () => troubled(world, deeds ?? world.random.pick([0, 4, 8, 16])),
    () => healed(world),
    () => checkSteady(world),
  ]);
  const { admitted, calls } = world.rules;
  return { ...run, seed, calls, admitted };
}

async function troubled(world: LimitsWorld, deeds: number): Promise<void> {
  const { random, scheduler } = world;
  for (const pod of world.pods) scheduler.plan(random.between(0, 2_000), () => pod.start());
  await scheduler.runUntil(2_000);
  const loads = world.servers.map((server) => load(world, server, fullLoadPerSecond(server) * random.pick([0.5, 1, 1.5, 3])));
  for (let deed = 0; deed < deeds; deed += 1) {
    await scheduler.runUntil(scheduler.nowMs + random.between(0, 4_000));
    disturbLimits(world);
  }
  await scheduler.runUntil(scheduler.nowMs + 3_000);
  for (const each of loads) each.end();
}

async function healed(world: LimitsWorld): Promise<void> {
  const { network, scheduler, trace } = world;
  trace.note('everything heals');
  network.heal();
  world.setStore(true);
  world.setStoreClock(0);
  if (world.store.lies) world.setLies(false);
  for (const pod of world.pods) pod.start();
  await scheduler.runUntil(scheduler.nowMs + HEALED_WITHIN_MS);
}
