/** What a store said, as a whole number of these: it may have been written by anybody, and `NaN` compares with nothing. */
export function wholeWithin(value: number, min: number, max: number): number {
  return Number.isFinite(value) ? Math.min(Math.max(Math.floor(value), min), max) : min;
}
