import type { CallContext, Outcome } from './context.ts';

/** Rate limits, quotas and concurrency take their place here; no limit can be configured yet, so nothing is counted. */
export function throttle(_ctx: CallContext): Outcome {
  return undefined;
}
