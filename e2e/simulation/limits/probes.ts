import { Violation } from '../trace.ts';
import { fullLoadPerSecond, type LimitedServer } from './limited.ts';
import type { LimitedPod } from './limited-pod.ts';
import type { LimitsWorld } from './limits-world.ts';
import { callOnce, load } from './load.ts';

/** A round of the census, and the question a second that looks for the store. */
const FOUND_AGAIN_MS = 3_300;
/** The life of slots that nobody renews. */
const SLOTS_MS = 10_000;
const ON_THEIR_WAY_MS = 160;

/** Whoever is refused and comes when it was told, alone, is admitted. */
export async function checkRetry(world: LimitsWorld, server: LimitedServer): Promise<void> {
  const { random, scheduler } = world;
  // What a second window counted elsewhere is known only to whoever asks the store.
  if (server.limits.some(({ windows }) => windows.length > 1)) return;
  const pod = random.pick(world.pods);
  const principal = random.pick(server.users);
  const call = (): ReturnType<typeof callOnce> => {
    const asked = callOnce(world, pod, { server, principal, lastsMs: 10 });
    return scheduler.runUntil(scheduler.nowMs + ON_THEIR_WAY_MS).then(() => asked);
  };
  await scheduler.runUntil(scheduler.nowMs + 2_500);
  const most = Math.max(0, ...server.limits.flatMap(({ windows }) => windows.map(({ max }) => max)));
  for (let count = 0; count <= most; count += 1) {
    const calledMs = scheduler.nowMs;
    const answer = await call();
    if (answer === null || answer.isAdmitted) continue;
    await scheduler.runUntil(calledMs + ON_THEIR_WAY_MS + answer.retryAfterMs);
    if ((await call())?.isAdmitted !== true)
      throw new Violation(
        'a refused call is admitted when it was told to come',
        `${server.id} at ${pod.name}, after ${answer.retryAfterMs} ms`,
      );
    return;
  }
}

/** What was admitted while the store was away is charged when it is back, also when it has lost everything: there is no second budget. */
export async function checkOutage(world: LimitsWorld, server: LimitedServer): Promise<void> {
  const { pods, random, scheduler } = world;
  const [limit, ...others] = server.limits;
  const [window, ...windows] = limit?.windows ?? [];
  if (limit === undefined || window === undefined || others.length + windows.length > 0 || window.windowMs < 3 * FOUND_AGAIN_MS) return;
  await scheduler.runUntil(scheduler.nowMs + 1.1 * window.windowMs);
  const begunMs = scheduler.nowMs;
  world.rules.calmSinceMs = Number.POSITIVE_INFINITY;
  world.setStore(false);
  if (random.chance(0.5)) world.emptyStore();
  await underLoad(world, server, 0.3 * window.windowMs);
  world.setStore(true);
  await scheduler.runUntil(scheduler.nowMs + FOUND_AGAIN_MS);
  await underLoad(world, server, begunMs + window.windowMs - scheduler.nowMs - ON_THEIR_WAY_MS);
  const share = Math.max(1, Math.floor(window.max / pods.length));
  for (const principal of server.users) {
    const admitted = world.rules.ledger(limit, principal).after(begunMs, () => true);
    const most = Math.max(window.max, pods.length * share);
    if (admitted > most)
      throw new Violation('what was admitted without the store is charged to it', `${limit.id}: ${admitted}, where ${most} may be`);
  }
}

async function underLoad(world: LimitsWorld, server: LimitedServer, forMs: number): Promise<void> {
  const calls = load(world, server, 3 * fullLoadPerSecond(server));
  await world.scheduler.runUntil(world.scheduler.nowMs + forMs);
  calls.end();
}

/** Slots of a pod that was killed with all of them are the others' after ten seconds. */
export async function checkSlotsOfTheDead(world: LimitsWorld, server: LimitedServer): Promise<void> {
  const { pods, scheduler } = world;
  const [limit, ...others] = server.limits;
  const most = limit?.concurrency ?? null;
  const [dying, next] = pods;
  if (most === null || others.length > 0 || dying === undefined || next === undefined) return;
  await scheduler.runUntil(scheduler.nowMs + 5_000);
  await takeAll(world, dying, { server, most });
  dying.kill();
  await scheduler.runUntil(scheduler.nowMs + SLOTS_MS + 500);
  const taken = await takeAll(world, next, { server, most });
  if (taken < most) throw new Violation('slots of a killed gateway come back', `${server.id}: ${taken} of ${most} after ${SLOTS_MS} ms`);
  dying.start();
  await scheduler.runUntil(scheduler.nowMs + 5_000);
}

/** Calls at work at one pod, as many as the limit allows; how many of them were admitted. */
async function takeAll(world: LimitsWorld, pod: LimitedPod, { server, most }: { server: LimitedServer; most: number }): Promise<number> {
  const { random, scheduler } = world;
  const principal = random.pick(server.users);
  const asked = Array.from({ length: most }, () => callOnce(world, pod, { server, principal, lastsMs: 3_000 }));
  await scheduler.runUntil(scheduler.nowMs + ON_THEIR_WAY_MS);
  return (await Promise.all(asked)).filter((answer) => answer?.isAdmitted === true).length;
}
