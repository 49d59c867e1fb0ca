import { isUtf8 } from 'node:buffer';
import { refusal, type Refusal } from '@patchbay/errors';
import { JsonWalker, type JsonLimits, type KeyWatcher } from './json-walker.ts';
import { KeyGuard, knownKeys, matchKey, UNKNOWN_KEY, type KnownKeys } from './known-keys.ts';
import { ScannedMessage, type MessageId } from './scanned-message.ts';
import { META, PARAMS, PARAMS_META, readMetaMember, readParamsMember } from './read-params.ts';
import { readId, readText, type ScanState } from './read-value.ts';

export type ScanOptions = Partial<JsonLimits> & {
  /** Refuse ambiguous keys inside `params.arguments` too: set where a policy, an approval or a cache key reads them. */
  readonly checkArguments?: boolean;
};

/** `id` is what the message said, as far as it was read, for the error's answer. */
export type ScanOutcome =
  | { readonly ok: true; readonly message: ScannedMessage }
  | { readonly ok: false; readonly refusal: Refusal; readonly id: MessageId | null };

const DEPTH_MAX = 64;
const ELEMENTS_MAX = 200_000;
const OPEN_OBJECT = 0x7b;
const OPEN_ARRAY = 0x5b;
const CLOSE_OBJECT = 0x7d;
const COMMA = 0x2c;

const ENVELOPE = knownKeys(['jsonrpc', 'id', 'method', 'params', 'result', 'error']);
const ENVELOPE_JSONRPC = 0;
const ENVELOPE_ID = 1;
const ENVELOPE_METHOD = 2;
const ENVELOPE_PARAMS = 3;
const ENVELOPE_RESULT = 4;
const VERSION_LITERAL = [...Buffer.from('"2.0"')];

/** Checks keys of every object below `arguments`, one guard per open depth. */
class ArgumentsWatcher implements KeyWatcher {
  readonly #guards: KeyGuard[] = [];
  readonly #scanner: Scanner;
  constructor(scanner: Scanner) {
    this.#scanner = scanner;
  }
  open(depth: number): void {
    this.#guards[depth] = new KeyGuard(null);
  }
  key(depth: number, start: number, end: number): void {
    const { walker } = this.#scanner;
    const complaint = this.#guards[depth]?.complaint(walker.bytes, start, end, walker.escaped);
    if (typeof complaint === 'string') this.#scanner.refuse(refusal('rpc.ambiguous', `${complaint} It is in params.arguments.`));
  }
}

/** One scan. What is wrong with the meaning is kept and the walk goes on, so that the answer can carry the id; broken grammar ends it. */
class Scanner implements ScanState {
  readonly walker: JsonWalker;
  readonly message = new ScannedMessage();
  readonly bytes: Buffer;
  readonly argumentsWatcher: KeyWatcher | null;
  #refusal: Refusal | null = null;
  #versionIsRight = false;
  #idRepeats = false;

  constructor(bytes: Buffer, options: ScanOptions) {
    this.bytes = bytes;
    this.walker = new JsonWalker(bytes, { depthMax: options.depthMax ?? DEPTH_MAX, elementsMax: options.elementsMax ?? ELEMENTS_MAX });
    this.argumentsWatcher = options.checkArguments === true ? new ArgumentsWatcher(this) : null;
  }

  refuse(reason: Refusal): void {
    this.#refusal ??= reason;
  }

  run(): ScanOutcome {
    const { walker, message } = this;
    this.#document();
    if (walker.failure === null && this.#refusal === null) this.#settle();
    const reason = walker.failure ?? this.#refusal;
    return reason === null ? { ok: true, message } : { ok: false, refusal: reason, id: this.#idRepeats ? null : message.id };
  }

  #document(): void {
    const { walker } = this;
    const start = walker.space(0);
    const first = this.bytes[start];
    let end: number;
    if (first === OPEN_OBJECT) {
      end = this.#object(start, 1, ENVELOPE);
    } else {
      this.refuse(first === OPEN_ARRAY ? refusal('rpc.batch') : refusal('rpc.invalid', 'It is not an object.'));
      end = walker.value(start, 0);
    }
    if (end < 0) return;
    end = walker.space(end);
    if (end < walker.length) walker.fail(end);
  }

  /** Reads an object whose keys we decide on: the envelope, `params` or `_meta`. Nests only in that order, so three deep at most. */
  #object(at: number, depth: number, keys: KnownKeys): number {
    const { walker, bytes } = this;
    let i = walker.space(at + 1);
    if (bytes[i] === CLOSE_OBJECT) return i + 1;
    const guard = new KeyGuard(keys);
    for (;;) {
      i = walker.count(i);
      if (i < 0) return -1;
      const keyEnd = walker.string(i);
      if (keyEnd < 0) return -1;
      const index = matchKey(keys, bytes, i + 1, keyEnd - 1);
      const complaint = index === UNKNOWN_KEY ? guard.complaint(bytes, i, keyEnd, walker.escaped) : guard.repeat(index);
      if (complaint !== null) {
        this.refuse(refusal('rpc.ambiguous', complaint));
        if (keys === ENVELOPE && index === ENVELOPE_ID) this.#idRepeats = true;
      }
      const start = walker.colon(keyEnd);
      if (start < 0) return -1;
      i = this.#member(keys, index, start, depth);
      if (i < 0) return -1;
      i = walker.space(i);
      const after = bytes[i];
      if (after === CLOSE_OBJECT) return i + 1;
      if (after !== COMMA) return walker.fail(i);
      i = walker.space(i + 1);
    }
  }

  #member(keys: KnownKeys, index: number, at: number, depth: number): number {
    if (index === UNKNOWN_KEY) return this.walker.value(at, depth);
    if (keys === ENVELOPE) return this.#envelopeMember(index, at);
    if (keys === META) return readMetaMember(this, index, at);
    if (index !== PARAMS_META || this.bytes[at] !== OPEN_OBJECT) return readParamsMember(this, index, at);
    const end = this.#object(at, depth + 1, META);
    this.message.metaSpan = { start: at, end };
    return end;
  }

  #envelopeMember(index: number, at: number): number {
    const { message, bytes } = this;
    const isObject = bytes[at] === OPEN_OBJECT;
    const end = index === ENVELOPE_PARAMS && isObject ? this.#object(at, 2, PARAMS) : this.walker.value(at, 1);
    if (end < 0) return -1;
    const span = { start: at, end };
    if (index === ENVELOPE_JSONRPC) {
      this.#versionIsRight = end - at === VERSION_LITERAL.length && VERSION_LITERAL.every((byte, k) => bytes[at + k] === byte);
    } else if (index === ENVELOPE_ID) {
      message.idSpan = span;
      message.id = readId(this, at, end);
      if (message.id === null) this.refuse(refusal('rpc.invalid', 'An id is a string or a whole number of at most 2^53 - 1.'));
    } else if (index === ENVELOPE_METHOD) {
      message.methodSpan = span;
      const method = readText(this, at, end);
      if (method === null) this.refuse(refusal('rpc.invalid', 'The method is not a string.'));
      else message.method = method;
    } else {
      if (!isObject) this.refuse(refusal('rpc.invalid', 'params, result and error are objects.'));
      if (index === ENVELOPE_PARAMS) message.paramsSpan = span;
      else if (index === ENVELOPE_RESULT) message.resultSpan = span;
      else message.errorSpan = span;
    }
    return end;
  }

  /** Which kind of message it is, once all of it was read without complaint. */
  #settle(): void {
    const { message } = this;
    const answers = (message.resultSpan === null ? 0 : 1) + (message.errorSpan === null ? 0 : 1);
    if (!this.#versionIsRight) {
      this.refuse(refusal('rpc.invalid', 'jsonrpc is not "2.0".'));
    } else if (message.methodSpan !== null && answers === 0) {
      message.kind = message.idSpan === null ? 'notification' : 'request';
    } else if (message.methodSpan === null && answers === 1 && message.idSpan !== null && message.paramsSpan === null) {
      message.kind = 'response';
    } else {
      this.refuse(refusal('rpc.invalid', 'It is neither a request, nor a notification, nor a response.'));
    }
  }
}

/**
 * Reads one JSON-RPC message in one pass, or refuses it (security.md §1): broken grammar, bad UTF-8, too much structure, and keys
 * of the envelope, `params` or `_meta` that another reader could take for different ones. Only after it may the bytes travel on.
 */
export function scanMessage(bytes: Buffer, options: ScanOptions = {}): ScanOutcome {
  if (!isUtf8(bytes)) return { ok: false, refusal: refusal('rpc.parse', 'It is not UTF-8.'), id: null };
  return new Scanner(bytes, options).run();
}
