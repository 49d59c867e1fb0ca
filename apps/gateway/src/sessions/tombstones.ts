import type { OrganisationId } from '@patchbay/contracts';
import type { SharedStore } from '@patchbay/ports';
import { LRUCache } from 'lru-cache';

export type TombstoneDeps = {
  readonly store: Pick<SharedStore, 'get' | 'set'>;
  readonly clock: { nowMs(): number };
  /** Tells the other pods, which may have the session open. */
  readonly announce: (session: { organisationId: OrganisationId; key: string }) => Promise<void>;
};

type Ended = { readonly organisationId: OrganisationId; readonly key: string; readonly expiresAtMs: number };

/** Which client sessions were ended by DELETE: a sealed id would open for 30 days otherwise. */
export type Tombstones = {
  /** What this pod knows without asking. */
  isKnownDead(key: string): boolean;
  /** Asks the shared store; throws when it is away. */
  isDead(organisationId: OrganisationId, key: string): Promise<boolean>;
  /** Dead on this pod at once; in the store, and every pod that hears the bus told, when the promise is kept. */
  bury(session: Ended): Promise<void>;
  /** Another pod said so. */
  learn(key: string): void;
};

const KNOWN_MAX = 50_000;

export function makeTombstones({ store, clock, announce }: TombstoneDeps): Tombstones {
  const dead = new LRUCache<string, true>({ max: KNOWN_MAX });
  const storeKey = (key: string): string => `session-tombstone/${key}`;
  return {
    isKnownDead: (key) => dead.has(key),
    async isDead(organisationId, key) {
      if (dead.has(key)) return true;
      const found = (await store.get(organisationId, storeKey(key))) !== null;
      if (found) dead.set(key, true);
      return found;
    },
    async bury({ organisationId, key, expiresAtMs }) {
      dead.set(key, true);
      await store.set(organisationId, storeKey(key), '1', Math.max(1, expiresAtMs - clock.nowMs()));
      await announce({ organisationId, key });
    },
    learn: (key) => void dead.set(key, true),
  };
}
