/** A stretch of a message's bytes: `start` inclusive, `end` exclusive. */
export type Span = { readonly start: number; readonly end: number };
