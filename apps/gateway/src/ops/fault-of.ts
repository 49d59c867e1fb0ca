import { catalog, type Owner } from '@patchbay/errors';
import type { CallContext } from '../pipeline/context.ts';

/** Whose doing it is that a call was not answered as asked: what availability and error budgets are counted by. */
export type FaultOwner = Owner | 'none';

/**
 * By the error catalogue's `owner`. An `isError` result is none: the server did answer, and its word is between the tool and its
 * caller. Who goes away in the middle of a call is its caller.
 */
export function faultOf(outcome: CallContext['outcome']): FaultOwner {
  if (outcome === 'ok' || outcome === 'tool_error') return 'none';
  if (outcome === 'cancelled') return 'caller';
  return catalog[outcome].owner;
}
