import type { CallContext, Outcome } from './context.ts';

/** Redaction and contract checks of answers take their place here; no policy can ask for them yet. */
export function inspectResponse(_ctx: CallContext): Outcome {
  return undefined;
}
