import { comparePositions } from '../../apps/gateway/dist/snapshot/position.js';
import { Violation } from './trace.ts';
import type { World } from './world.ts';

/** A comparison (10 s), a publisher's poll (3 s), and what either may wait for an answer that was lost just before. */
export const HEALED_WITHIN_MS = 30_000;
const CALL_WITHIN_MS = 10_000;

/** Every pod serves the newest revision of what it has loaded, admits good tokens and refuses the others. */
export async function checkHealed(world: World): Promise<void> {
  const { invariants, scheduler, truth } = world;
  invariants.positions();
  for (const pod of world.pods) {
    for (const organisation of truth.organisations) {
      const served = pod.current(organisation);
      const is = `${pod.name} serves ${organisation.slug} at ${served === null ? 'nothing' : `${served.epoch}.${served.revision}`}`;
      if (served !== null && comparePositions(served, organisation) !== 0)
        throw new Violation(
          'after healing every pod serves the newest revision',
          `${is}, not ${organisation.epoch}.${organisation.revision}`,
        );
      for (const token of organisation.tokens.values()) {
        const wanted = token.revokedAt === null ? 'admitted' : 'auth.invalid_token';
        let outcome: string | null = null;
        const asked = invariants.call(pod, organisation, token);
        asked.then((said) => (outcome = said)).catch((error: unknown) => scheduler.fault(error as Error));
        await scheduler.runUntil(scheduler.nowMs + 20);
        if (outcome === null) await scheduler.runUntil(scheduler.nowMs + CALL_WITHIN_MS);
        if (outcome !== wanted)
          throw new Violation(
            'after healing calls are answered right',
            `${is}: ${token.name} was answered ${String(outcome)}, not ${wanted}`,
          );
      }
    }
  }
}
