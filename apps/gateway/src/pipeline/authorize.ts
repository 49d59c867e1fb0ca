import { type ErrorCode, type Refusal, refusal } from '@patchbay/errors';
import type { ScannedMessage } from '@patchbay/mcp-wire';
import { decide } from '@patchbay/policy';
import type { EntryKind } from '../snapshot/compiled.ts';
import { methodUnknown } from './call-object.ts';
import type { CallContext, CallObject, Outcome } from './context.ts';

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
    return unknown(target.object, message);
  }
  ctx.grantId = decision.grantId;
  return undefined;
}

function unknown({ kind }: CallObject, message: ScannedMessage | null): Refusal {
  if (kind === 'method' || kind === 'server') return methodUnknown(message?.method ?? '');
  if (message?.method.startsWith('tasks/') === true) return refusal('task.unknown');
  const uri = message?.uri ?? null;
  return uri === null ? refusal(UNKNOWN[kind]) : refusal('resource.unknown', null, { uri });
}
