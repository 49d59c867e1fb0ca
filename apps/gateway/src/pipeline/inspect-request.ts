import type { CallContext, Outcome } from './context.ts';

/** Policies on arguments, redaction and approvals take their place here; no policy can be configured yet. */
export function inspectRequest(_ctx: CallContext): Outcome {
  return undefined;
}
