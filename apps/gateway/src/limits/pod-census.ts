import type { OrganisationId } from '@patchbay/contracts';
import type { Counters } from '@patchbay/ports';
import { wholeWithin } from './whole-within.ts';

/** How often a pod says that it is there, and for how long that holds. */
export const CENSUS_MS = 3_000;
const TTL_MS = 10_000;
/** Nobody's: the counters of organisations are under their own ids, which are never nil. */
const OF_NOBODY = '00000000-0000-0000-0000-000000000000' as OrganisationId;
const COUNTER = 'pods';
const PODS_MAX = 1_000_000;

export type PodCensusDeps = {
  readonly counters: Counters;
  /** This process, to the store. */
  readonly holder: string;
  /** The store can be reached. Whatever calls there are, or none: a store that is back is found by the next round. */
  readonly answered: () => void;
};

/**
 * How many pods go by the same counters: each holds one slot of one counter there. While the store is away the last number stands,
 * because then it is needed; before the first answer a pod takes itself to be alone.
 */
export type PodCensus = {
  count(): number;
  /** Says that this pod is there. Never rejects. */
  refresh(): Promise<void>;
  /** Says that it ends. Never rejects. */
  leave(): Promise<void>;
};

export function makePodCensus({ answered, counters, holder }: PodCensusDeps): PodCensus {
  let [before, pods] = [1, 1];
  const say = async (wanted: number): Promise<void> => {
    const request = { holder, max: PODS_MAX, wanted, ttlMs: TTL_MS };
    await counters.hold(OF_NOBODY, COUNTER, request).then(
      ({ inUse }) => {
        // After the store was away the first to be back is alone there, until the others have said that they are there too.
        const found = wholeWithin(inUse, 1, PODS_MAX);
        pods = Math.max(before, found);
        before = found;
        answered();
      },
      () => undefined,
    );
  };
  return { count: () => pods, refresh: () => say(1), leave: () => say(0) };
}
