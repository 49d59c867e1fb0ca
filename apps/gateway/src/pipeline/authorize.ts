import { type ErrorCode, refusal } from '@patchbay/errors';
import { decide } from '@patchbay/policy';
import type { EntryKind } from '../snapshot/compiled.ts';
import type { CallContext, Outcome } from './context.ts';

/** What is missing and what is not granted are one answer (security.md §10); the audit alone will know which. */
const UNKNOWN: Record<EntryKind, ErrorCode> = {
  tool: 'tool.unknown',
  prompt: 'prompt.unknown',
  resource: 'resource.unknown',
  template: 'completion.unknown',
};

/** The compiled grants decide; the grant that allowed the call rides along. */
export function authorize(ctx: CallContext): Outcome {
  const { message, principal, snapshot, target } = ctx;
  if (target === null || target.kind !== 'upstream' || principal === null || snapshot === null) return undefined;
  const decision = decide(snapshot.grants, principal, target.server.id, target.object);
  if (decision.kind === 'deny') {
    const uri = message?.uri ?? null;
    return refusal(UNKNOWN[target.object.kind], null, uri === null ? null : { uri });
  }
  ctx.grantId = decision.grantId;
  return undefined;
}
