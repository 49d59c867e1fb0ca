import type { Refusal } from '@patchbay/errors';
import type { EventKind } from '../streams/numbered-stream.ts';

/** Where the answer to one request goes. `finish` or `fail` is called once, last; all bytes are one line of JSON. */
export interface Reply {
  /** Since when nobody listens, though somebody may come back; null while somebody does. */
  readonly unreadSinceMs: number | null;
  /** A message of the server that belongs to the request: its progress, a log line, a request of its own. */
  pass(message: Buffer, kind: EventKind): void;
  finish(message: Buffer): void;
  fail(refusal: Refusal): void;
  /** Ends without an answer: the caller cancelled it. */
  abandon(): void;
}
