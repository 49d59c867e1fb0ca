import { createHash } from 'node:crypto';

/**
 * The candidates in the order in which whoever holds `key` asks them: the same in every program that knows the same names, spread
 * evenly over keys. A candidate that joins or leaves changes the place of no other (rendezvous hashing).
 */
export function rendezvousOrder<T>(key: string, candidates: readonly T[], nameOf: (candidate: T) => string): T[] {
  if (candidates.length < 2) return [...candidates];
  const weighed = candidates.map((candidate) => ({ candidate, weight: weightOf(key, nameOf(candidate)) }));
  return weighed.sort((a, b) => Buffer.compare(b.weight, a.weight)).map(({ candidate }) => candidate);
}

function weightOf(key: string, name: string): Buffer {
  return createHash('sha256')
    .update(JSON.stringify([key, name]))
    .digest();
}
