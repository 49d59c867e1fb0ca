import type { Refusal } from '@patchbay/errors';
import { Refused } from './refused.ts';

/** The value a service returned, or its refusal on the way to the filter. */
export function orRefuse<T extends object>(outcome: T | Refusal): T {
  if (isRefusal(outcome)) throw new Refused(outcome.code, outcome.detail);
  return outcome;
}

function isRefusal(outcome: object): outcome is Refusal {
  return Object.keys(outcome).length === 3 && 'code' in outcome && 'detail' in outcome && 'data' in outcome;
}
