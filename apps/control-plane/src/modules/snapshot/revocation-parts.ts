import { REVOKED_HASH_LENGTH, type RevocationsPart } from '@patchbay/contracts';

/** The documents that name revoked tokens, by the first digit of their hashes: a revocation re-sends a sixteenth. The same hashes give the same text. */
export function revocationDocuments(tokenHashes: readonly string[]): [key: string, document: RevocationsPart][] {
  const shards = new Map<string, string[]>();
  for (const hash of tokenHashes.map((each) => each.slice(0, REVOKED_HASH_LENGTH)).toSorted()) {
    const shard = shards.get(hash.charAt(0)) ?? [];
    shards.set(hash.charAt(0), shard);
    shard.push(hash);
  }
  return [...shards].map(([key, tokens]) => [key, { format: 1, tokens }]);
}
