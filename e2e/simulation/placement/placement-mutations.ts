import type { PlacementDeps } from '../../../apps/gateway/dist/upstream/stdio/placement.js';
import type { PlacementMutation } from './placement-world.ts';

/** Gateways that renew what they know too seldom, so that what others write stands for long. */
export const seldomRenews: PlacementMutation = (deps) => ({ ...deps, renewEveryMs: 25_000 });

/** Gateways that begin to count anew when the store has lost its data. */
export const countsAnew: PlacementMutation = (deps) => ({ ...deps, clock: { nowMs: () => 0 } });

/** Gateways that take what they meant to write for what stands. */
export const hearsNothing: PlacementMutation = (deps) => {
  const { store } = deps;
  const compareAndSet: PlacementDeps['store']['compareAndSet'] = async (...asked) => {
    await store.compareAndSet(...asked);
    return asked[3];
  };
  return { ...deps, store: { ...store, compareAndSet } };
};

/** Gateways that leave what they move away from as it is. */
export const leavesBehind: PlacementMutation = (deps) => ({ ...deps, endOn: async () => undefined });

/** Gateways that believe a host alive whatever happens. */
export const neverGivesUp: PlacementMutation = (deps) => {
  deps.hosts.isAlive = () => true;
  deps.hosts.giveUp = () => true;
  return deps;
};

/** Gateways that have a store each. */
export const storesForEach: PlacementMutation = (deps) => {
  const { store } = deps;
  const holder = Math.random().toString();
  const own = (id: string): never => `${id}/${holder}` as never;
  return {
    ...deps,
    store: {
      get: (id, key) => store.get(own(id), key),
      setIfAbsent: (id, key, value, ttlMs) => store.setIfAbsent(own(id), key, value, ttlMs),
      compareAndSet: (id, key, ...rest) => store.compareAndSet(own(id), key, ...rest),
    },
  };
};
