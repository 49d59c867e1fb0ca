import type { LimitsWorld } from './limits-world.ts';

type Action = { readonly weight: number; run(world: LimitsWorld): void };

function cut(world: LimitsWorld): void {
  const { network, random, rules, scheduler, trace } = world;
  const { name } = random.pick(world.pods);
  const link = network.link(name, 'store');
  const state = random.pick(['refused', 'silent'] as const);
  const forMs = random.pick([200, 1_500, 5_000, 20_000]) * random.between(0.5, 1.5);
  trace.note(`the link ${name} - store is ${state} for ${(forMs / 1000).toFixed(1)} s`);
  link.state = state;
  rules.troubled(name);
  scheduler.plan(forMs, () => {
    if (link.state === state) link.state = 'up';
    rules.troubled(name);
  });
}

function slow(world: LimitsWorld): void {
  const { network, random, rules, scheduler, trace } = world;
  const { name } = random.pick(world.pods);
  const link = network.link(name, 'store');
  link.slowMs = random.pick([20, 150, 1_000]) * random.between(0.5, 2);
  link.lossChance = random.chance(0.5) ? random.between(0, 0.3) : 0;
  trace.note(`the link ${name} - store takes up to ${link.slowMs.toFixed(0)} ms and loses ${(link.lossChance * 100).toFixed(0)} %`);
  rules.troubled(name);
  scheduler.plan(random.between(500, 10_000), () => {
    Object.assign(link, { slowMs: 0, lossChance: 0 });
    rules.troubled(name);
  });
}

/** What may happen, and how often against each other. */
const ACTIONS: readonly Action[] = [
  { weight: 4, run: cut },
  { weight: 4, run: slow },
  {
    weight: 4,
    run: (world) => {
      const pod = world.random.pick(world.pods);
      pod.kill();
      world.scheduler.plan(world.random.between(10, 8_000), () => pod.start());
    },
  },
  {
    weight: 2,
    run: (world) => {
      const pod = world.random.pick(world.pods);
      void pod.stop();
      world.scheduler.plan(world.random.between(10, 8_000), () => pod.start());
    },
  },
  {
    weight: 2,
    run: (world) => {
      world.setStore(false);
      if (world.random.chance(0.3)) world.emptyStore();
      world.scheduler.plan(world.random.between(100, 15_000), () => world.setStore(true));
    },
  },
  { weight: 1, run: (world) => world.emptyStore() },
  {
    weight: 1,
    run: (world) => {
      world.setLies(true);
      world.scheduler.plan(world.random.between(100, 15_000), () => world.setLies(false));
    },
  },
  { weight: 2, run: (world) => world.setStoreClock(world.random.chance(0.4) ? 0 : world.random.whole(-20_000, 20_000)) },
];

const WEIGHT = ACTIONS.reduce((sum, { weight }) => sum + weight, 0);

/** Lets one thing go wrong. */
export function disturbLimits(world: LimitsWorld): void {
  let left = world.random.between(0, WEIGHT);
  for (const action of ACTIONS) {
    left -= action.weight;
    if (left < 0) return action.run(world);
  }
}
