import { comparePositions, isAfter, type Position } from '../../apps/gateway/dist/snapshot/position.js';
import type { Pod } from './pod.ts';
import { Violation } from './trace.ts';
import type { Organisation, Token } from './truth.ts';
import { STALENESS_BUDGET_MS } from './settings.ts';
import type { World } from './world.ts';

const say = (position: Position | null): string => (position === null ? 'nothing' : `${position.epoch}.${position.revision}`);

/** The rules, checked at every call and after every event that matters. */
export class Invariants {
  readonly #world: World;
  /** By pod and organisation: the highest position served in this life, or that the disk held when it began. */
  readonly #served = new Map<string, Position>();
  /** The highest position that some control plane said every pod enforces. */
  readonly #confirmed = new Map<string, Position>();
  calls = 0;
  confirmations = 0;
  admitted = 0;
  /** Admitted below what was confirmed by a pod that reaches no control plane and goes by the stores: the one exception (decision 0008). */
  onTrust = 0;

  constructor(world: World) {
    this.#world = world;
  }

  podStarted(pod: Pod): void {
    for (const organisation of this.#world.truth.organisations) {
      const floor = pod.floorOf(organisation);
      this.#served.delete(`${pod.name} ${organisation.id}`);
      if (floor !== null) this.#served.set(`${pod.name} ${organisation.id}`, floor);
    }
  }

  podEnded(pod: Pod, { losesDisk }: { losesDisk: boolean }): void {
    if (losesDisk) Object.assign(pod, { heardAtMs: Number.NEGATIVE_INFINITY, storesReadAtMs: Number.NEGATIVE_INFINITY });
  }

  /** No pod's position goes back. */
  positions(): void {
    for (const pod of this.#world.pods) {
      for (const organisation of this.#world.truth.organisations) {
        const now = pod.current(organisation);
        if (now === null) continue;
        const key = `${pod.name} ${organisation.id}`;
        const before = this.#served.get(key) ?? null;
        if (before !== null && isAfter(before, now))
          throw new Violation('positions never go back', `${pod.name} serves ${organisation.slug} at ${say(now)} after ${say(before)}`);
        this.#served.set(key, { epoch: now.epoch, revision: now.revision });
        if (isAfter(now, organisation))
          throw new Violation('positions are true', `${pod.name} serves ${organisation.slug} at ${say(now)}, which was never made`);
      }
    }
  }

  /** What is confirmed is enforced by every pod that serves at all, now and ever after. */
  async confirm(): Promise<void> {
    for (const organisation of this.#world.truth.organisations) {
      const { epoch, revision } = organisation;
      const said = await Promise.all(this.#world.controlPlanes.map((controlPlane) => controlPlane.confirms({ ...organisation })));
      if (!said.includes(true)) continue;
      this.confirmations += 1;
      if (isAfter(this.#confirmed.get(organisation.id) ?? { epoch: 0, revision: 0 as never }, { epoch, revision })) continue;
      this.#confirmed.set(organisation.id, { epoch, revision });
    }
  }

  /** One call, from its arrival to its outcome. */
  async call(pod: Pod, organisation: Organisation, token: Token): Promise<string> {
    const startedAtMs = this.#world.scheduler.nowMs;
    const before = pod.current(organisation);
    const wasRevokedAt = token.revokedAt;
    const confirmedBefore = this.#confirmed.get(organisation.id);
    const belongs = organisation.tokens.has(token.hash);
    const isOnTrust = pod.goesByStores(organisation);
    const { by, outcome } = await pod.call(organisation, token);
    this.calls += 1;
    const what = `${pod.name} at ${say(by ?? before)} answered ${token.name} at ${organisation.slug} with ${outcome}`;
    if (outcome === 'admitted') {
      this.admitted += 1;
      const confirmed = confirmedBefore ?? null;
      if (by !== null && confirmed !== null && isAfter(confirmed, by)) {
        if (isOnTrust) this.onTrust += 1;
        else throw new Violation('what is confirmed is enforced', `${what}, and ${say(confirmed)} had been confirmed`);
      }
      if (!belongs) throw new Violation('a token opens its own organisation alone', what);
      if (by !== null && wasRevokedAt !== null && comparePositions(by, { epoch: organisation.epoch, revision: wasRevokedAt as never }) >= 0)
        throw new Violation('no revoked token is admitted', `${what}, revoked at ${organisation.epoch}.${wasRevokedAt}`);
      const silentMs = startedAtMs - Math.max(pod.heardAtMs, pod.storesReadAtMs);
      if (silentMs > STALENESS_BUDGET_MS)
        throw new Violation(
          'a pod never serves beyond its staleness budget',
          `${what}, ${silentMs} ms after a control plane heard it or it read the stores`,
        );
    }
    if (outcome === 'auth.invalid_token' && belongs && token.revokedAt === null && token.mintedAtMs < startedAtMs)
      throw new Violation('a good token is never called bad', what);
    return outcome;
  }
}
