import { Fault, refusal } from '@patchbay/errors';
import { ANSWERED, type CallContext, type Outcome } from '../pipeline/context.ts';
import { refuseFailure } from './judge.ts';
import type { RelayEnd } from './relay-end.ts';

/** What the end of a call's last attempt means to the pipeline; noted in the call for the record. Throws a Fault where the fault is ours. */
export function outcomeOf(ctx: CallContext, end: RelayEnd, slug: string): Outcome {
  switch (end.kind) {
    case 'answered':
      if (end.isToolError) ctx.outcome = 'tool_error';
      return ANSWERED;
    case 'parked':
      return ANSWERED;
    case 'cancelled':
      ctx.outcome = 'cancelled';
      return ANSWERED;
    case 'broken-off':
      ctx.outcome = end.refusal.code;
      return ANSWERED;
    case 'refused':
      return end.refusal;
    case 'crashed':
      throw new Fault('internal', `relaying an answer of "${slug}" failed`, end.error);
    case 'gone':
      return refuseFailure('cut', slug);
    case 'input-required':
      return refusal('upstream.capability_missing', `Server "${slug}" asks its client, which has no session to be asked in.`);
    case 'dial':
      return refuseFailure('dial', slug);
  }
}
