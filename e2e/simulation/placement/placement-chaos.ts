import type { Link } from '../network.ts';
import type { PlacementWorld } from './placement-world.ts';

type Action = { readonly weight: number; run(world: PlacementWorld): void };

const lasts = (world: PlacementWorld): number => world.random.pick([300, 3_000, 12_000, 40_000]) * world.random.between(0.5, 1.5);

function cut(world: PlacementWorld, a: string, b: string): void {
  const link = world.network.link(a, b);
  const state: Link['state'] = world.random.pick(['refused', 'silent']);
  const forMs = lasts(world);
  world.trace.note(`the link ${a} - ${b} is ${state} for ${(forMs / 1000).toFixed(1)} s`);
  link.state = state;
  world.scheduler.plan(forMs, () => {
    if (link.state === state) link.state = 'up';
    world.rules.troubled();
  });
}

function slow(world: PlacementWorld, a: string, b: string): void {
  const link = world.network.link(a, b);
  link.slowMs = world.random.between(10, 3_000);
  link.lossChance = world.random.chance(0.5) ? world.random.between(0, 0.4) : 0;
  world.trace.note(`the link ${a} - ${b} takes up to ${link.slowMs.toFixed(0)} ms and loses ${(link.lossChance * 100).toFixed(0)} %`);
  world.scheduler.plan(lasts(world), () => {
    Object.assign(link, { slowMs: 0, lossChance: 0 });
    world.rules.troubled();
  });
}

const pickPod = ({ pods, random }: PlacementWorld): string => random.pick(pods).name;
const pickHost = ({ hosts, random }: PlacementWorld): string => random.pick(hosts).name;

/** What an attacker at the store can do: remove, scribble, put back an old record, or put another's in its place. */
export function attackRecords(world: PlacementWorld): void {
  const { random, shared, trace } = world;
  const [one, other] = [random.pick(shared), random.pick(shared)];
  const deed = random.pick(['removes', 'scribbles over', 'puts back an old', "puts another server's in the place of"] as const);
  trace.note(`an attacker ${deed} the record of ${one.organisationId}/${one.server.id}`);
  world.look();
  const old = world.oldRecords(one);
  world.rules.rewritten(one);
  if (deed === 'removes') world.write(one, null);
  else if (deed === 'scribbles over') world.write(one, `["${random.pick(world.hosts).id}",99]`);
  else if (deed === 'puts back an old' && old.length > 0) world.write(one, random.pick(old));
  else world.write(one, world.read(other));
}

/** What may happen, and how often against each other. */
const ACTIONS: readonly Action[] = [
  { weight: 4, run: (world) => cut(world, pickPod(world), pickHost(world)) },
  { weight: 3, run: (world) => cut(world, pickPod(world), 'store') },
  { weight: 2, run: (world) => slow(world, pickPod(world), pickHost(world)) },
  { weight: 2, run: (world) => slow(world, pickPod(world), 'store') },
  {
    weight: 4,
    run: (world) => {
      const host = world.random.pick(world.hosts);
      if (world.random.chance(0.5)) host.kill();
      else host.stop();
      world.scheduler.plan(3_000 + lasts(world), () => {
        host.start();
        world.rules.troubled();
      });
    },
  },
  {
    weight: 3,
    run: (world) => {
      const pod = world.random.pick(world.pods);
      pod.kill();
      world.scheduler.plan(lasts(world), () => pod.start());
    },
  },
  {
    weight: 1,
    run: (world) => {
      world.trace.note('the store is away');
      world.store.setUp(false);
      world.scheduler.plan(lasts(world), () => {
        world.store.setUp(true);
        world.rules.troubled();
      });
    },
  },
  {
    weight: 1,
    run: (world) => {
      world.trace.note('the store lost its data');
      world.store.empty();
    },
  },
  { weight: 4, run: attackRecords },
];

const WEIGHT = ACTIONS.reduce((sum, { weight }) => sum + weight, 0);

/** Lets one thing go wrong. */
export function disturbPlacement(world: PlacementWorld): void {
  world.look();
  world.rules.troubled();
  let left = world.random.between(0, WEIGHT);
  for (const action of ACTIONS) {
    left -= action.weight;
    if (left < 0) return action.run(world);
  }
}
