import type { Span } from './span.ts';

/** Replaces one span of the original bytes; an empty span inserts. */
export type Edit = Span & { readonly replacement: Buffer | string };

/** A copy with the edits made; they must be sorted by start and not overlap, else it throws a RangeError. */
export function splice(bytes: Buffer, edits: readonly Edit[]): Buffer {
  const pieces: Buffer[] = [];
  let from = 0;
  for (const { start, end, replacement } of edits) {
    if (start < from || end < start || end > bytes.length) throw new RangeError(`edit ${start}..${end} is out of order or out of range`);
    pieces.push(bytes.subarray(from, start), typeof replacement === 'string' ? Buffer.from(replacement) : replacement);
    from = end;
  }
  pieces.push(bytes.subarray(from));
  return Buffer.concat(pieces);
}
