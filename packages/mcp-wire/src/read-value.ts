import { refusal, type Refusal } from '@patchbay/errors';
import { decodeString } from './json-text.ts';
import type { JsonWalker, KeyWatcher } from './json-walker.ts';
import type { MessageId, ScannedMessage, TypedMember } from './scanned-message.ts';

/** What the readers of single members share during one scan. */
export type ScanState = {
  readonly bytes: Buffer;
  readonly walker: JsonWalker;
  readonly message: ScannedMessage;
  readonly argumentsWatcher: KeyWatcher | null;
  /** Keeps the first reason; the walk goes on. */
  refuse(reason: Refusal): void;
};

const QUOTE = 0x22;
const MINUS = 0x2d;
/** So many digits always fit in a double exactly. */
const EXACT_DIGITS_MAX = 15;

/** The string just walked at `at`..`end`, or null when it is another type. Refuses one with a lone surrogate. */
export function readText(state: ScanState, at: number, end: number): string | null {
  if (state.bytes[at] !== QUOTE) return null;
  const { escaped } = state.walker;
  const text = decodeString(state.bytes, at, end, escaped);
  if (escaped && !text.isWellFormed()) state.refuse(refusal('rpc.ambiguous', 'A string we decide on holds a lone surrogate.'));
  return text;
}

/** The id or token just walked: a string, or a whole number that a double holds exactly and that is written as one; else null. */
export function readId(state: ScanState, at: number, end: number): MessageId | null {
  const { bytes } = state;
  if (bytes[at] === QUOTE) return readText(state, at, end);
  const from = bytes[at] === MINUS ? at + 1 : at;
  let value = 0;
  for (let i = from; i < end; i += 1) {
    const digit = (bytes[i] as number) - 0x30;
    if (digit < 0 || digit > 9) return null;
    value = value * 10 + digit;
  }
  if (end - from > EXACT_DIGITS_MAX) value = Number(bytes.toString('latin1', from, end));
  if (!Number.isSafeInteger(value) || (value === 0 && from !== at)) return null;
  return from === at ? value : -value;
}

/** Notes that a member is there with another type than the protocol gives it. */
export function noteWrongType(message: ScannedMessage, member: TypedMember): void {
  message.wrongTypes = [...message.wrongTypes, member];
}
