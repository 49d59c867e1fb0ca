import type { Refusal } from '@patchbay/errors';

/** Where the answer to one request goes. `finish` or `fail` is called once, last; all bytes are one line of JSON. */
export interface Reply {
  notify(message: Buffer): void;
  finish(message: Buffer): void;
  fail(refusal: Refusal): void;
  /** Ends without an answer: the caller cancelled it. */
  abandon(): void;
}
