import type { Principal } from '@patchbay/contracts';
import type { LimitedServer } from './limited.ts';
import type { LimitedPod } from './limited-pod.ts';
import type { LimitsWorld } from './limits-world.ts';

/** Calls of ours last at most this long. */
const CALL_MS_MAX = 4_000;

/** One call, from its arrival to its end; resolves when it is decided: true when it was admitted. */
export async function callOnce(
  world: LimitsWorld,
  pod: LimitedPod,
  { server, principal, lastsMs }: { server: LimitedServer; principal: Principal; lastsMs: number },
): Promise<{ isAdmitted: boolean; retryAfterMs: number } | null> {
  const decision = await pod.ask(server, principal);
  if (decision === null) return null;
  world.rules.decided(pod, decision, server, principal);
  const { life, outcome } = decision;
  if ('code' in outcome) return { isAdmitted: false, retryAfterMs: Number(outcome.data?.['retryAfterMs']) };
  const end = (): void => {
    for (const limit of server.limits)
      if (limit.mode === 'enforce' && limit.concurrency !== null) world.rules.ledger(limit, principal).work(life, -1);
    pod.release(life, outcome);
  };
  world.scheduler.plan(lastsMs, end, life.owner);
  return { isAdmitted: true, retryAfterMs: 0 };
}

/** Calls at a server's pods, some of which get more than others, until it is ended. */
export function load(world: LimitsWorld, server: LimitedServer, perSecond: number): { end(): void } {
  const { random, scheduler } = world;
  const weights = world.pods.map(() => random.between(0.1, 1));
  const lastsMs = random.pick([5, 300, CALL_MS_MAX / 2]);
  let ended = false;
  const next = (): void => {
    if (ended) return;
    scheduler.plan(random.between(0, 2_000 / perSecond), next);
    let left = random.between(
      0,
      weights.reduce((sum, weight) => sum + weight, 0),
    );
    const pod = world.pods.find((_, index) => (left -= weights[index] ?? 0) < 0) ?? random.pick(world.pods);
    const call = { server, principal: random.pick(server.users), lastsMs: random.between(0, 2 * lastsMs) };
    callOnce(world, pod, call).catch((error: unknown) => scheduler.fault(error as Error));
  };
  next();
  return { end: () => void (ended = true) };
}
