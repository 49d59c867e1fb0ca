/** Why something offered to this pod was not taken. */
export type RefusalReason =
  | 'signature'
  | 'shape'
  | 'rollback'
  | 'other_organisation'
  | 'too_new'
  | 'part_hash'
  | 'part_malformed'
  | 'parts_unavailable'
  | 'disk';

/** Plain counts since the start, read by the metrics endpoint. Incremented in place. */
export type SnapshotCounters = {
  announcements: number;
  swaps: number;
  /** Of all swaps, from the manifest on: fetching its parts included. */
  swapMs: number;
  tokenHits: number;
  tokenMisses: number;
  missesLimited: number;
  readonly refused: Record<RefusalReason, number>;
};

export function makeCounters(): SnapshotCounters {
  return {
    announcements: 0,
    swaps: 0,
    swapMs: 0,
    tokenHits: 0,
    tokenMisses: 0,
    missesLimited: 0,
    refused: {
      signature: 0,
      shape: 0,
      rollback: 0,
      other_organisation: 0,
      too_new: 0,
      part_hash: 0,
      part_malformed: 0,
      parts_unavailable: 0,
      disk: 0,
    },
  };
}
