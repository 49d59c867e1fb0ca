import { decodeString, foldKey } from './json-text.ts';

/** The keys we decide on in one object of a message, matched on the raw bytes. */
export type KnownKeys = {
  /** Candidates by length in bytes. */
  readonly byLength: readonly (readonly KnownKey[] | undefined)[];
  readonly folded: ReadonlySet<string>;
};

type KnownKey = { readonly bytes: Uint8Array; readonly index: number };

export const UNKNOWN_KEY = -1;

/** The index of each key is its position in `names`; at most 31 of them, so that a bit mask holds what was seen. */
export function knownKeys(names: readonly string[]): KnownKeys {
  const byLength: KnownKey[][] = [];
  for (const [index, name] of names.entries()) {
    const bytes = new Uint8Array(Buffer.from(name));
    (byLength[bytes.length] ??= []).push({ bytes, index });
  }
  return { byLength, folded: new Set(names.map(foldKey)) };
}

/** Index of the key at `start`..`end` (without quotes), or UNKNOWN_KEY. Compares bytes: an escaped spelling is not the key. */
export function matchKey(keys: KnownKeys, bytes: Buffer, start: number, end: number): number {
  const candidates = keys.byLength[end - start];
  if (candidates === undefined) return UNKNOWN_KEY;
  for (const candidate of candidates) {
    let k = 0;
    while (k < candidate.bytes.length && candidate.bytes[k] === bytes[start + k]) k += 1;
    if (k === candidate.bytes.length) return candidate.index;
  }
  return UNKNOWN_KEY;
}

/** Finds keys of one object that two JSON readers could read differently. */
export class KeyGuard {
  readonly #keys: KnownKeys | null;
  #seenKnown = 0;
  #seenOther: Set<string> | null = null;

  constructor(keys: KnownKeys | null) {
    this.#keys = keys;
  }

  /** Notes a known key; a sentence when it was there before, else null. */
  repeat(index: number): string | null {
    const bit = 1 << index;
    if ((this.#seenKnown & bit) !== 0) return 'A key appears twice.';
    this.#seenKnown |= bit;
    return null;
  }

  /** Notes any other key (span with quotes); a sentence when it is ambiguous, else null. */
  complaint(bytes: Buffer, start: number, end: number, escaped: boolean): string | null {
    const key = decodeString(bytes, start, end, escaped);
    if (!key.isWellFormed()) return 'A key holds a lone surrogate.';
    const folded = foldKey(key);
    if (this.#keys !== null && this.#keys.folded.has(folded)) return `A key looks like "${folded}" but is spelled differently.`;
    this.#seenOther ??= new Set();
    if (this.#seenOther.has(folded)) return 'A key appears twice, or two keys differ only in case or NUL.';
    this.#seenOther.add(folded);
    return null;
  }
}
