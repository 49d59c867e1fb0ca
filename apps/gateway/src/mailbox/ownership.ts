import type { OrganisationId } from '@patchbay/contracts';
import type { SharedStore } from '@patchbay/ports';
import { type Keyring, open, seal } from '@patchbay/vault';
import { within } from '../directory/within.ts';

export type OwnershipDeps = {
  readonly store: Pick<SharedStore, 'get' | 'set' | 'delete'>;
  readonly keyring: Keyring;
  readonly podId: string;
  readonly clock: { nowMs(): number };
  readonly logger: { warn(fields: object, message: string): void };
};

/** How long a pod counts as alive after it last said so; three times it may fail to. */
const LEASE_MS = 12_000;
const RENEW_EVERY_MS = 4_000;
const STORE_TIMEOUT_MS = 1_500;

/** Which pods that hold open sockets are alive: each says so under a lease, in every organisation it holds some for. */
export class Ownership {
  readonly #deps: OwnershipDeps;
  /** How many boxes, and when it was last said that they are held. */
  readonly #held = new Map<OrganisationId, { boxes: number; saidAtMs: number }>();
  #timer: NodeJS.Timeout | null = null;

  constructor(deps: OwnershipDeps) {
    this.#deps = deps;
  }

  /** One more box is held, which the store says when the promise is kept; rejects when the store is away, and goes on trying. */
  async hold(organisationId: OrganisationId): Promise<void> {
    const held = this.#held.get(organisationId) ?? { boxes: 0, saidAtMs: Number.NEGATIVE_INFINITY };
    held.boxes += 1;
    this.#held.set(organisationId, held);
    this.#timer ??= setInterval(() => this.#renewAll(), RENEW_EVERY_MS).unref();
    if (this.#deps.clock.nowMs() - held.saidAtMs >= RENEW_EVERY_MS) await this.#renew(organisationId);
  }

  release(organisationId: OrganisationId): void {
    const held = this.#held.get(organisationId);
    if (held === undefined) return;
    held.boxes -= 1;
    if (held.boxes === 0) this.#held.delete(organisationId);
    if (this.#held.size === 0) this.#stop();
  }

  /** Whether the pod that held a box lives. */
  async isAlive(organisationId: OrganisationId, podId: string): Promise<boolean> {
    const key = leaseKey(podId);
    const lease = await this.#deps.store.get(organisationId, key);
    return lease !== null && open(this.#deps.keyring, lease, [key, organisationId]) !== null;
  }

  /** This pod stops. Never rejects: what the store is not told in time it finds out by the lease. */
  async giveUp(): Promise<void> {
    this.#stop();
    const { podId, store } = this.#deps;
    const told = [...this.#held.keys()].map((organisationId) => store.delete(organisationId, leaseKey(podId)));
    this.#held.clear();
    await within(Promise.all(told), STORE_TIMEOUT_MS, null);
  }

  #stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #renewAll(): void {
    for (const organisationId of this.#held.keys())
      this.#renew(organisationId).catch((error: unknown) =>
        this.#deps.logger.warn(
          { err: error, organisationId },
          'cannot say that this pod holds sockets: answers from other pods may not find it',
        ),
      );
  }

  async #renew(organisationId: OrganisationId): Promise<void> {
    const { clock, keyring, podId, store } = this.#deps;
    const key = leaseKey(podId);
    const saidAtMs = clock.nowMs();
    await store.set(organisationId, key, seal(keyring, String(saidAtMs), [key, organisationId]), LEASE_MS);
    const held = this.#held.get(organisationId);
    if (held !== undefined) held.saidAtMs = saidAtMs;
  }
}

function leaseKey(podId: string): string {
  return `mailbox-owner/${podId}`;
}
