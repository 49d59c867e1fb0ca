import type { Link } from './network.ts';
import type { World } from './world.ts';

type Action = { readonly weight: number; run(world: World): void };

const pickPod = (world: World) => world.random.pick(world.pods);
const pickOrganisation = (world: World) => world.random.pick(world.truth.organisations);

/** A change through a control plane that lives; none when none does. */
function change(world: World, what: string, make: (organisation: World['truth']['organisations'][number]) => number | null): void {
  const alive = world.controlPlanes.filter(({ isAlive }) => isAlive);
  if (alive.length === 0) return;
  const organisation = pickOrganisation(world);
  const revision = make(organisation);
  if (revision === null) return;
  world.trace.note(`${organisation.slug} is at ${organisation.epoch}.${organisation.revision}: ${what}`);
  world.random.pick(alive).committed(organisation);
}

const cutMs = ({ random }: World): number => (random.chance(0.15) ? random.between(60_000, 600_000) : random.between(100, 30_000));

function cut(world: World, a: string, b: string, lastsMs: number | null = null): void {
  const link = world.network.link(a, b);
  const state: Link['state'] = world.random.chance(0.5) ? 'refused' : 'silent';
  const forMs = lastsMs ?? cutMs(world);
  world.trace.note(`the link ${a} - ${b} is ${state} for ${(forMs / 1000).toFixed(1)} s`);
  link.state = state;
  if (b === 'store') world.store.breakBusOf(a);
  world.scheduler.plan(forMs, () => {
    if (link.state === state) link.state = 'up';
  });
}

const longerThanBudgetMs = ({ random }: World): number => random.between(320_000, 600_000);

function cutOff(world: World, forMs: number): void {
  const { name } = pickPod(world);
  for (const other of ['store', 'cp1', 'cp2']) cut(world, name, other, forMs);
}

function slow(world: World, a: string, b: string): void {
  const link = world.network.link(a, b);
  link.slowMs = world.random.between(10, 2_000);
  link.lossChance = world.random.chance(0.5) ? world.random.between(0, 0.3) : 0;
  world.trace.note(`the link ${a} - ${b} takes up to ${link.slowMs.toFixed(0)} ms and loses ${(link.lossChance * 100).toFixed(0)} %`);
  world.scheduler.plan(world.random.between(1_000, 60_000), () => Object.assign(link, { slowMs: 0, lossChance: 0 }));
}

/** What may happen, and how often against each other. */
const ACTIONS: readonly Action[] = [
  { weight: 10, run: (world) => change(world, 'a server changed', (organisation) => world.truth.changeServer(organisation)) },
  {
    weight: 3,
    run: (world) => change(world, 'a token was made', (organisation) => world.truth.mint(organisation) && organisation.revision),
  },
  {
    weight: 8,
    run: (world) =>
      change(world, 'a token was revoked', (organisation) => {
        const good = [...organisation.tokens.values()].filter(({ revokedAt }) => revokedAt === null);
        if (good.length < 2) return null;
        const token = world.random.pick(good);
        world.trace.note(`${token.name} is revoked`);
        return world.truth.revoke(organisation, token);
      }),
  },
  {
    weight: 1,
    run: (world) =>
      change(world, 'a user was removed', (organisation) => {
        const { userId } = world.random.pick([...organisation.tokens.values()]);
        return world.truth.removeUser(organisation, userId);
      }),
  },
  { weight: 5, run: (world) => cut(world, pickPod(world).name, 'store') },
  { weight: 5, run: (world) => cut(world, pickPod(world).name, world.random.pick(['cp1', 'cp2'])) },
  { weight: 2, run: (world) => cut(world, world.random.pick(['cp1', 'cp2']), 'store') },
  { weight: 2, run: (world) => cutOff(world, world.random.chance(0.5) ? longerThanBudgetMs(world) : cutMs(world)) },
  { weight: 4, run: (world) => slow(world, pickPod(world).name, world.random.pick(['store', 'cp1', 'cp2'])) },
  {
    weight: 5,
    run: (world) => {
      const pod = pickPod(world);
      pod.kill({ losesDisk: world.random.chance(0.25) });
      world.scheduler.plan(world.random.between(10, 20_000), () => pod.start());
    },
  },
  {
    weight: 2,
    run: (world) => {
      const pod = pickPod(world);
      void pod.stop().then(() => world.scheduler.plan(world.random.between(10, 5_000), () => pod.start()));
    },
  },
  {
    weight: 3,
    run: (world) => {
      const controlPlane = world.random.pick(world.controlPlanes);
      controlPlane.kill();
      world.scheduler.plan(world.random.between(10, 30_000), () => controlPlane.start());
    },
  },
  {
    weight: 1,
    run: (world) => {
      world.trace.note('the store is away');
      world.store.setUp(false);
      world.scheduler.plan(world.random.between(100, 20_000), () => world.store.setUp(true));
    },
  },
  {
    weight: 2,
    run: (world) => {
      world.trace.note('the store lost its data');
      world.store.empty();
    },
  },
  {
    weight: 2,
    run: (world) => {
      const { random, store } = world;
      store.bus = { lossChance: random.between(0, 0.5), repeatChance: random.between(0, 0.5), slowMs: random.between(0, 5_000) };
      world.trace.note(`the bus loses ${(store.bus.lossChance * 100).toFixed(0)} % and is up to ${store.bus.slowMs.toFixed(0)} ms late`);
      world.scheduler.plan(random.between(1_000, 60_000), () => (store.bus = { lossChance: 0, repeatChance: 0, slowMs: 0 }));
    },
  },
  {
    weight: 2,
    run: (world) => {
      const one = world.random.pick([...world.pods, ...world.controlPlanes]);
      one.skewMs = world.random.chance(0.3) ? 0 : world.random.whole(-900_000, 900_000);
      world.trace.note(`a clock is ${(one.skewMs / 1000).toFixed(0)} s off: ${'name' in one ? one.name : one.place.name}`);
    },
  },
];

const WEIGHT = ACTIONS.reduce((sum, { weight }) => sum + weight, 0);

/** Cuts a pod off from everything for longer than it may serve without news. */
export function cutOffForLong(world: World): void {
  cutOff(world, longerThanBudgetMs(world));
}

const changeServer = (world: World): void => change(world, 'a server changed', (organisation) => world.truth.changeServer(organisation));

/** Changes what a pod cannot hear of before its budget has passed, so that it is confirmed without that pod, which then comes back. */
export function changeWhileCutOff(world: World): void {
  const isCut = world.pods.some(({ name }) => world.network.link(name, 'cp1').state !== 'up');
  if (!isCut) cutOff(world, world.random.between(301_000, 330_000));
  changeServer(world);
}

/** Lets a pod end in order, or be killed, and start again where it hears of nothing, while there are changes. */
export function startCutOff(world: World): void {
  const { random, scheduler } = world;
  const pod = random.pick(world.pods);
  changeServer(world);
  const start = (): void => {
    for (const other of ['store', 'cp1', 'cp2']) cut(world, pod.name, other, 15_000);
    pod.start();
    changeServer(world);
    for (const ms of [500, 3_000, 10_000]) scheduler.plan(ms, () => void world.invariants.confirm());
  };
  scheduler.plan(random.between(0, 20), () => {
    if (random.chance(0.5)) return void pod.stop().then(() => scheduler.plan(random.between(10, 2_000), start));
    pod.kill({ losesDisk: false });
    scheduler.plan(random.between(10, 2_000), start);
  });
}

/** Lets one thing happen. */
export function disturb(world: World): void {
  let left = world.random.between(0, WEIGHT);
  for (const action of ACTIONS) {
    left -= action.weight;
    if (left < 0) return action.run(world);
  }
}
