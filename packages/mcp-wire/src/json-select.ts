import { decodeString } from './json-text.ts';
import { JsonWalker, type JsonLimits } from './json-walker.ts';
import type { Span } from './span.ts';

/** Which strings of a document are meant, by the way to them. What a selector does not speak of is passed over. */
export type Selector = {
  /** The string here. */
  readonly isWanted?: true;
  /** Members of the object here, by name. */
  readonly members?: ReadonlyMap<string, Selector>;
  /** Every element of the array, or every member of the object, here. */
  readonly each?: Selector;
};

/** A string as it stands in the document (span with quotes) and what it says. */
export type Selected = { readonly span: Span; readonly text: string };

const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const QUOTE = 0x22;
const LIMITS: JsonLimits = { depthMax: 512, elementsMax: 4_000_000 };

/** The strings that a selector means, in the order of the document; none when it is not JSON. One pass; a key twice is followed twice. */
export function selectStrings(bytes: Buffer, selector: Selector): readonly Selected[] {
  const search = new Search(bytes);
  const { walker } = search;
  return search.visit(walker.space(0), selector) < 0 ? [] : search.found;
}

class Search {
  readonly found: Selected[] = [];
  readonly walker: JsonWalker;

  constructor(bytes: Buffer) {
    this.walker = new JsonWalker(bytes, LIMITS);
  }

  /** The position after the value at `at`, or −1. */
  visit(at: number, selector: Selector): number {
    const { bytes } = this.walker;
    const first = bytes[at];
    if (first === OPEN_OBJECT && (selector.members !== undefined || selector.each !== undefined)) return this.#object(at, selector);
    if (first === OPEN_ARRAY && selector.each !== undefined) return this.#array(at, selector.each);
    const end = this.walker.value(at, 0);
    if (end >= 0 && selector.isWanted === true && first === QUOTE) {
      this.found.push({ span: { start: at, end }, text: decodeString(bytes, at, end, this.walker.escaped) });
    }
    return end;
  }

  #object(open: number, { each, members }: Selector): number {
    const { walker } = this;
    const { bytes } = walker;
    let at = walker.space(open + 1);
    if (bytes[at] === CLOSE_OBJECT) return at + 1;
    for (;;) {
      const nameEnd = walker.string(at);
      if (nameEnd < 0) return -1;
      const below = members?.get(decodeString(bytes, at, nameEnd, walker.escaped)) ?? each;
      const value = walker.colon(nameEnd);
      const end = value < 0 ? -1 : this.#passOrVisit(value, below);
      if (end < 0) return -1;
      at = walker.space(end);
      if (bytes[at] === CLOSE_OBJECT) return at + 1;
      if (bytes[at] !== COMMA) return -1;
      at = walker.space(at + 1);
    }
  }

  #array(open: number, each: Selector): number {
    const { walker } = this;
    const { bytes } = walker;
    let at = walker.space(open + 1);
    if (bytes[at] === CLOSE_ARRAY) return at + 1;
    for (;;) {
      const end = this.visit(at, each);
      if (end < 0) return -1;
      at = walker.space(end);
      if (bytes[at] === CLOSE_ARRAY) return at + 1;
      if (bytes[at] !== COMMA) return -1;
      at = walker.space(at + 1);
    }
  }

  #passOrVisit(at: number, below: Selector | undefined): number {
    return below === undefined ? this.walker.value(at, 0) : this.visit(at, below);
  }
}

const COMMA = 0x2c;
