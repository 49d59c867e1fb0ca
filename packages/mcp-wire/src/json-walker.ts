import { refusal, type Refusal } from '@patchbay/errors';

/** How much structure a document may have before it is refused as `rpc.too_complex`. */
export type JsonLimits = {
  /** Containers open at once. */
  readonly depthMax: number;
  /** Members and elements in all. */
  readonly elementsMax: number;
};

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const TRUE = Buffer.from('true');
const FALSE = Buffer.from('false');
const NULL = Buffer.from('null');

/** 1 where a byte ends the plain run of a string: the quote, the backslash and the control characters. */
const ENDS_PLAIN_RUN = new Uint8Array(256);
ENDS_PLAIN_RUN.fill(1, 0, 0x20);
ENDS_PLAIN_RUN[QUOTE] = 1;
ENDS_PLAIN_RUN[BACKSLASH] = 1;

/** 1 for the characters that may follow a backslash, other than `u`. */
const SIMPLE_ESCAPE = new Uint8Array(256);
for (const character of '"\\/bfnrt') SIMPLE_ESCAPE[character.charCodeAt(0)] = 1;

/** 1 for an open object, 0 for an open array, by depth. Shared: a walk is synchronous and never nested in itself. */
let containers = new Uint8Array(256);

const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= 0x30 && byte <= 0x39;

function isHexDigit(byte: number | undefined): boolean {
  if (byte === undefined) return false;
  return (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x46) || (byte >= 0x61 && byte <= 0x66);
}

/** Is told of each object that opens below a walked value, and of the span of each key with its quotes. */
export type KeyWatcher = {
  open(depth: number): void;
  key(depth: number, start: number, end: number): void;
};

/**
 * Checks the JSON grammar (RFC 8259) over bytes that are known to be UTF-8, without building values and without recursion.
 * Every method takes a position and returns the one after what it read, or −1 with `failure` set.
 */
export class JsonWalker {
  readonly bytes: Buffer;
  readonly length: number;
  failure: Refusal | null = null;
  /** Whether the string read last holds an escape. */
  escaped = false;
  elementsLeft: number;
  readonly #limits: JsonLimits;
  #closedAtOnce = false;

  constructor(bytes: Buffer, limits: JsonLimits) {
    this.bytes = bytes;
    this.length = bytes.length;
    this.elementsLeft = limits.elementsMax;
    this.#limits = limits;
    if (containers.length <= limits.depthMax) containers = new Uint8Array(limits.depthMax + 1);
  }

  fail(at: number): -1 {
    const where = at >= this.length ? 'It ends too early.' : `Unexpected byte at offset ${at}.`;
    this.failure ??= refusal('rpc.parse', where);
    return -1;
  }

  /** Counts one member or element; −1 when that is one too many. */
  count(at: number): number {
    this.elementsLeft -= 1;
    if (this.elementsLeft >= 0) return at;
    this.failure ??= refusal('rpc.too_complex', `It has more than ${this.#limits.elementsMax} members and elements.`);
    return -1;
  }

  space(at: number): number {
    const { bytes } = this;
    let i = at;
    for (;;) {
      const c = bytes[i];
      if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return i;
      i += 1;
    }
  }

  /** Reads the string whose opening quote is at `at`. */
  string(at: number): number {
    const { bytes, length } = this;
    if (at >= length || bytes[at] !== QUOTE) return this.fail(at);
    this.escaped = false;
    let i = at + 1;
    while (i < length) {
      const c = bytes[i] as number;
      if (ENDS_PLAIN_RUN[c] === 0) {
        i += 1;
      } else if (c === QUOTE) {
        return i + 1;
      } else {
        i = c === BACKSLASH ? this.#escape(i + 1) : this.fail(i);
        if (i < 0) return -1;
      }
    }
    return this.fail(i);
  }

  /** Reads a member's name, the colon and the space around it: from its opening quote to the first byte of its value. */
  colon(at: number): number {
    const i = this.space(at);
    if (i >= this.length || this.bytes[i] !== COLON) return this.fail(i);
    return this.space(i + 1);
  }

  /** Reads the one value at `at`, however deep; `depth` containers are open around it. */
  value(at: number, depth: number, watcher: KeyWatcher | null = null): number {
    const { bytes } = this;
    let open = depth;
    let i = at;
    for (;;) {
      const c = bytes[i];
      if (c === OPEN_OBJECT || c === OPEN_ARRAY) {
        const next = this.#enter(i, open + 1, watcher);
        if (next < 0) return -1;
        i = next;
        if (!this.#closedAtOnce) {
          open += 1;
          continue;
        }
      } else {
        i = this.scalar(i);
        if (i < 0) return -1;
      }
      // A value has ended: close what ends with it, or go on to the next one.
      for (;;) {
        if (open === depth) return i;
        i = this.space(i);
        const after = bytes[i];
        if (after === COMMA) {
          i = this.count(this.space(i + 1));
          if (i >= 0 && containers[open] === 1) i = this.#member(i, open, watcher);
          if (i < 0) return -1;
          break;
        }
        if (after !== (containers[open] === 1 ? CLOSE_OBJECT : CLOSE_ARRAY)) return this.fail(i);
        open -= 1;
        i += 1;
      }
    }
  }

  /** Reads a string, number, `true`, `false` or `null`. */
  scalar(at: number): number {
    const c = this.bytes[at];
    if (c === QUOTE) return this.string(at);
    if (c === 0x74) return this.#literal(at, TRUE);
    if (c === 0x66) return this.#literal(at, FALSE);
    if (c === 0x6e) return this.#literal(at, NULL);
    return this.#number(at);
  }

  #enter(at: number, depth: number, watcher: KeyWatcher | null): number {
    if (depth > this.#limits.depthMax) {
      this.failure ??= refusal('rpc.too_complex', `It is nested more than ${this.#limits.depthMax} deep.`);
      return -1;
    }
    const isObject = this.bytes[at] === OPEN_OBJECT;
    const i = this.space(at + 1);
    this.#closedAtOnce = this.bytes[i] === (isObject ? CLOSE_OBJECT : CLOSE_ARRAY);
    if (this.#closedAtOnce) return i + 1;
    containers[depth] = isObject ? 1 : 0;
    const first = this.count(i);
    if (first < 0 || !isObject) return first;
    watcher?.open(depth);
    return this.#member(first, depth, watcher);
  }

  #member(at: number, depth: number, watcher: KeyWatcher | null): number {
    const end = this.string(at);
    if (end < 0) return -1;
    watcher?.key(depth, at, end);
    return this.colon(end);
  }

  #escape(at: number): number {
    const { bytes } = this;
    this.escaped = true;
    const c = bytes[at];
    if (c === undefined) return this.fail(at);
    if (SIMPLE_ESCAPE[c] === 1) return at + 1;
    if (c !== 0x75) return this.fail(at);
    for (let i = at + 1; i < at + 5; i += 1) {
      if (!isHexDigit(bytes[i])) return this.fail(i);
    }
    return at + 5;
  }

  #number(at: number): number {
    const { bytes } = this;
    let i = bytes[at] === 0x2d ? at + 1 : at;
    if (bytes[i] === 0x30) {
      i += 1;
    } else {
      i = this.#digits(i);
    }
    if (i >= 0 && bytes[i] === 0x2e) i = this.#digits(i + 1);
    if (i >= 0 && (bytes[i] === 0x65 || bytes[i] === 0x45)) {
      const sign = bytes[i + 1];
      i = this.#digits(sign === 0x2b || sign === 0x2d ? i + 2 : i + 1);
    }
    return i;
  }

  #digits(at: number): number {
    if (!isDigit(this.bytes[at])) return this.fail(at);
    let i = at + 1;
    while (isDigit(this.bytes[i])) i += 1;
    return i;
  }

  #literal(at: number, word: Buffer): number {
    for (let k = 0; k < word.length; k += 1) {
      if (this.bytes[at + k] !== word[k]) return this.fail(at + k);
    }
    return at + word.length;
  }
}
