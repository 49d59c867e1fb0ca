import { LRUCache } from 'lru-cache';
import type { Clock } from '../snapshot/log.ts';

/** A token bucket: `burst` at once, `perSecond` in the long run. */
export type Rate = { readonly burst: number; readonly perSecond: number };

export type MissRates = { readonly address: Rate; readonly organisation: Rate; readonly all: Rate };

/** Limits the lookups that strangers can cause (security.md §2). Generous: only tokens of our own making get as far as a lookup. */
const MISS_RATES: MissRates = {
  address: { burst: 200, perSecond: 50 },
  organisation: { burst: 1_000, perSecond: 200 },
  all: { burst: 2_000, perSecond: 500 },
};

/** Synchronous: takes one miss from all three budgets, or none and says false. */
export type MissBudget = { take(address: string, organisationSlug: string): boolean };

type Bucket = { tokens: number; atMs: number };

const KEYS_MAX = 20_000;

export function makeMissBudget(deps: { clock: Clock; rates?: MissRates; cacheMax?: number }): MissBudget {
  const { clock, rates = MISS_RATES, cacheMax = KEYS_MAX } = deps;
  const addresses = new LRUCache<string, Bucket>({ max: cacheMax });
  const organisations = new LRUCache<string, Bucket>({ max: cacheMax });
  const all: Bucket = { tokens: rates.all.burst, atMs: clock.monotonicMs() };

  function bucketOf(buckets: LRUCache<string, Bucket>, key: string, rate: Rate, nowMs: number): Bucket {
    const known = buckets.get(key);
    if (known !== undefined) return known;
    const bucket = { tokens: rate.burst, atMs: nowMs };
    buckets.set(key, bucket);
    return bucket;
  }

  function refill(bucket: Bucket, rate: Rate, nowMs: number): boolean {
    const elapsedMs = Math.max(0, nowMs - bucket.atMs);
    bucket.tokens = Math.min(rate.burst, bucket.tokens + (elapsedMs / 1_000) * rate.perSecond);
    bucket.atMs = nowMs;
    return bucket.tokens >= 1;
  }

  return {
    take(address, organisationSlug) {
      const nowMs = clock.monotonicMs();
      const ofAddress = bucketOf(addresses, address, rates.address, nowMs);
      // One address over its own limit is stopped before it can draw on anybody else's.
      if (!refill(ofAddress, rates.address, nowMs)) return false;
      const ofOrganisation = bucketOf(organisations, organisationSlug, rates.organisation, nowMs);
      if (!refill(ofOrganisation, rates.organisation, nowMs) || !refill(all, rates.all, nowMs)) return false;
      ofAddress.tokens -= 1;
      ofOrganisation.tokens -= 1;
      all.tokens -= 1;
      return true;
    },
  };
}
