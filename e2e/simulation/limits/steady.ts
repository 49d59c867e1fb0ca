import { Violation } from '../trace.ts';
import { fullLoadPerSecond, type LimitedServer } from './limited.ts';
import { isAway, podsOf } from './limited-pod.ts';
import type { LimitsWorld } from './limits-world.ts';
import { checkOutage, checkRetry, checkSlotsOfTheDead } from './probes.ts';
import { load } from './load.ts';

/** A census of ten seconds and two rounds of it, and calls that were at work. */
export const HEALED_WITHIN_MS = 20_000;
const WINDOWS = 4;
const USED_PART = 0.95;
/** So often, or a small limit waits for callers longer than for permits. */
const CALLS_A_WINDOW_MIN = 50;

/** Without trouble: every pod knows the fleet, callers get 95 % of each limit and no more than it, and a refused one gets in when it was told. */
export async function checkSteady(world: LimitsWorld): Promise<void> {
  const { network, scheduler, trace } = world;
  trace.note('all is calm');
  network.tailChance = 0;
  const longestMs = Math.max(
    1_000,
    ...world.servers.flatMap(({ limits }) => limits.flatMap(({ windows }) => windows.map(({ windowMs }) => windowMs))),
  );
  // What was counted in trouble has left by then.
  await scheduler.runUntil(scheduler.nowMs + 1.1 * longestMs);
  world.rules.calmSinceMs = scheduler.nowMs;
  for (const pod of world.pods) {
    const { life } = pod;
    if (life === null) continue;
    const pods = podsOf(life);
    if (pods !== world.pods.length)
      throw new Violation('every pod knows how many there are', `${pod.name} counts ${pods}, not ${world.pods.length}`);
  }
  for (const server of world.servers) await checkUsed(world, server);
  for (const { life, name } of world.pods) {
    if (life !== null && isAway(life)) throw new Violation('the store is found again', `${name} still goes by its share`);
  }
  for (const server of world.servers) {
    await checkRetry(world, server);
    await checkOutage(world, server);
    await checkSlotsOfTheDead(world, server);
  }
}

/** Under far more load than it allows a limit is used up; under little more, chance alone leaves gaps that no counter could fill. */
async function checkUsed(world: LimitsWorld, server: LimitedServer): Promise<void> {
  const { random, scheduler } = world;
  const begunMs = scheduler.nowMs;
  const windowMs = Math.max(0, ...server.limits.flatMap(({ windows }) => windows.map((window) => window.windowMs)));
  const perSecond = Math.max(
    fullLoadPerSecond(server) * random.between(3, 6),
    windowMs === 0 ? 0 : (CALLS_A_WINDOW_MIN * 1_000) / windowMs,
  );
  const calls = load(world, server, perSecond);
  await scheduler.runUntil(begunMs + Math.max(3_000, WINDOWS * windowMs));
  calls.end();
  await scheduler.runUntil(scheduler.nowMs + 200);
  // Concurrency alone says nothing of how many calls there are.
  const enforced = server.limits.filter(({ mode }) => mode === 'enforce');
  if (enforced.some(({ concurrency }) => concurrency !== null)) return;
  for (const limit of enforced)
    for (const principal of limit.per.includes('user') ? server.users : server.users.slice(0, 1)) {
      const allowed = Math.min(...limit.windows.map((window) => window.max * Math.floor((WINDOWS * windowMs) / window.windowMs)));
      const used = world.rules.ledger(limit, principal).after(begunMs, () => true);
      // A pod may hold one permit that no call has come for yet: much of a limit that allows hardly more calls than there are pods.
      if (used < USED_PART * allowed - world.pods.length)
        throw new Violation(
          'under load a limit is used',
          `${limit.id} (${JSON.stringify(limit.windows)} per ${limit.per.join()}): ${used} of ${allowed}, at ${perSecond.toFixed(1)} calls a second of ${world.pods.length} pods`,
        );
    }
}
