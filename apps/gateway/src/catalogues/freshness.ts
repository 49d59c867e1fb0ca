/** Lists that were asked for a moment ago are as good as new: clients ask for all four in a row. */
export const FRESH_MS = 2_000;

/**
 * Tells that lists have changed when whatever a pod asked for before is too old to be listed, on this pod and on every other: who asks
 * then is told the new ones (protocol.md trap 34).
 */
export function tellWhenOld(tell: () => void): void {
  setTimeout(tell, FRESH_MS).unref();
}
