import { Violation } from '../trace.ts';
import { attackRecords } from './placement-chaos.ts';
import { RESTORED_MS } from './placement-rules.ts';
import type { PlacementWorld } from './placement-world.ts';
import { keyOf, type PlacingPod } from './placing-pod.ts';
import type { SimulatedHost } from './simulated-host.ts';
import type { Placed } from '../../../apps/gateway/dist/upstream/stdio/placement.js';

/** Two rounds of probes that wait as long as they may, and a renewal. */
const BELIEVED_MS = 13_000;
/** A probe that is waited for in vain, the time to the next, and what is told then. */
const TOLD_MS = 5_000;
const RENEWED_MS = 7_000;

/** Without trouble: gateways agree, keep to where servers are whatever is written to the store, and leave hosts that are lost. */
export async function checkSettled(world: PlacementWorld): Promise<void> {
  const { network, scheduler, trace } = world;
  trace.note('all is calm');
  network.tailChance = 0;
  agree(world);
  await underAttack(world);
  await withoutHost(world, world.random.pick(world.hosts));
  await withSilentHost(world, world.random.pick(world.hosts));
  await scheduler.runUntil(scheduler.nowMs + RENEWED_MS);
  agree(world);
}

/** All gateways that used a shared server lately used it where the store says that it is. */
function agree(world: PlacementWorld): void {
  const { pods, rules } = world;
  for (const placed of world.shared) {
    const recordedAt = world.recorded(placed);
    for (const pod of pods) {
      const used = rules.lastUse(pod, placed);
      if (used !== recordedAt)
        throw new Violation('gateways agree', `${pod.name} uses ${keyOf(placed)} on ${used}, recorded on ${recordedAt}`);
    }
  }
}

/** Nothing that is written without the key moves a server that gateways know. */
async function underAttack(world: PlacementWorld): Promise<void> {
  const before = world.shared.map((placed) => world.recorded(placed));
  for (let deed = 0; deed < 4; deed += 1) {
    attackRecords(world);
    await world.scheduler.runUntil(world.scheduler.nowMs + RESTORED_MS);
  }
  for (const [index, placed] of world.shared.entries()) {
    const now = world.recorded(placed);
    if (now !== before[index])
      throw new Violation('what others write moves nothing', `${keyOf(placed)} was on ${before[index]} and is on ${now}`);
  }
}

/** Of a host that was killed the next use finds another. */
async function withoutHost(world: PlacementWorld, host: SimulatedHost): Promise<void> {
  world.rules.troubled();
  host.kill();
  for (const pod of world.pods) for (const placed of world.servers) await mustSucceed(world, pod, placed);
  await world.scheduler.runUntil(world.scheduler.nowMs + RENEWED_MS);
  world.rules.troubled();
  host.start();
  await world.scheduler.runUntil(world.scheduler.nowMs + BELIEVED_MS);
}

/** One that is silent is left when its probes fail, and what ran there is ended when it answers again. */
async function withSilentHost(world: PlacementWorld, host: SimulatedHost): Promise<void> {
  const { network, pods, rules, scheduler, trace } = world;
  const here = world.shared.filter((placed) => world.recorded(placed) === host.name);
  trace.note(`${host.name} is silent`);
  rules.troubled();
  for (const { name } of pods) network.link(name, host.name).state = 'silent';
  await scheduler.runUntil(scheduler.nowMs + BELIEVED_MS);
  rules.troubled();
  for (const pod of pods) for (const placed of world.servers) await mustSucceed(world, pod, placed);
  await scheduler.runUntil(scheduler.nowMs + RENEWED_MS);
  trace.note(`${host.name} answers again`);
  network.heal();
  rules.troubled();
  await scheduler.runUntil(scheduler.nowMs + TOLD_MS);
  for (const placed of here) {
    if (host.running.has(keyOf(placed)) && world.recorded(placed) !== host.name)
      throw new Violation('what was left behind is ended', `${keyOf(placed)} runs on ${host.name}, recorded on ${world.recorded(placed)}`);
  }
}

async function mustSucceed(world: PlacementWorld, pod: PlacingPod, placed: Placed): Promise<void> {
  const asked = pod.call(placed);
  await world.scheduler.runUntil(world.scheduler.nowMs + 1_500);
  const outcome = await Promise.race([asked, Promise.resolve(null)]);
  if (outcome?.kind !== 'executed')
    throw new Violation(
      'a server is found elsewhere on next use',
      `${keyOf(placed)} at ${pod.name}: ${outcome === null ? 'no answer' : outcome.why}`,
    );
}
