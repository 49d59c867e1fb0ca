import { runStages, type StagesRun } from '../run-stages.ts';
import { Violation } from '../trace.ts';
import { disturbPlacement } from './placement-chaos.ts';
import { PlacementWorld, type PlacementMutation } from './placement-world.ts';
import { keyOf } from './placing-pod.ts';
import { checkSettled } from './settled.ts';

/** What came of one seed. */
export type PlacementRun = StagesRun & {
  readonly seed: number;
  readonly calls: number;
  readonly executions: number;
  readonly moves: number;
};

export type HowPlacement = { mutation?: PlacementMutation; deeds?: number };

/** From the last trouble until every call succeeds, and until every gateway has renewed what it knows. */
const SETTLES_MS = 16_000;
const RENEWS_MS = 12_000;

/** Runs one seed: calls through a time of trouble, healing, and what must hold then. The same seed does the same. */
export async function simulatePlacement(seed: number, { mutation = (deps) => deps, deeds }: HowPlacement = {}): Promise<PlacementRun> {
  const world = new PlacementWorld(seed, mutation);
  const run = await runStages(world, [() => troubled(world, deeds), () => checkSettled(world)]);
  const { calls, executions, moves } = world.rules;
  return { ...run, seed, calls, executions, moves };
}

async function troubled(world: PlacementWorld, deeds: number | undefined): Promise<void> {
  const { pods, random, scheduler } = world;
  for (const pod of pods) pod.start();
  load(world);
  const number = deeds ?? random.pick([0, 5, 10, 20]);
  for (let deed = 0; deed < number; deed += 1) {
    await scheduler.runUntil(scheduler.nowMs + random.between(0, 8_000));
    disturbPlacement(world);
  }
  heal(world);
  await scheduler.runUntil(scheduler.nowMs + SETTLES_MS + RENEWS_MS);
}

/** Calls at all servers, at random pods. While nothing is wrong they succeed. */
function load(world: PlacementWorld): void {
  const { pods, random, rules, scheduler, servers } = world;
  const everyMs = 1_500 / (pods.length * servers.length);
  const next = (): void => {
    scheduler.plan(random.between(0, 2 * everyMs), next);
    const [pod, placed] = [random.pick(pods), random.pick(servers)];
    const wasCalm = rules.isCalm;
    rules.calls += 1;
    pod
      .call(placed)
      .then((outcome) => {
        if (wasCalm && rules.isCalm && outcome?.kind === 'failed')
          throw new Violation('without trouble every call succeeds', `${keyOf(placed)} at ${pod.name}: ${outcome.why} on ${outcome.host}`);
      })
      .catch((error: unknown) => scheduler.fault(error as Error));
  };
  next();
}

function heal(world: PlacementWorld): void {
  world.trace.note('everything heals');
  world.network.heal();
  world.store.setUp(true);
  for (const host of world.hosts) host.restart();
  for (const pod of world.pods) pod.start();
  world.rules.troubled();
}
