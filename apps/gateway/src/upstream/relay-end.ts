import type { Refusal } from '@patchbay/errors';
import type { InputRequired } from './rounds/input-required.ts';

/** How a call's exchange ended. `gone`: the upstream session is, so nothing was executed. `dial`: nothing was sent. */
export type RelayEnd =
  | { readonly kind: 'answered'; readonly isToolError: boolean }
  /** What the server has to know before it answers. */
  | { readonly kind: 'input-required'; readonly required: InputRequired }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  /** The client's body was cut, which says it. */
  | { readonly kind: 'broken-off'; readonly refusal: Refusal }
  /** A fault of ours. */
  | { readonly kind: 'crashed'; readonly error: unknown }
  /** The stream is over for now, and the client knows from where to ask for the rest. */
  | { readonly kind: 'parked' }
  /** The client wants no answer any more. */
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'gone' }
  | { readonly kind: 'dial' };
