import type { Refusal } from '@patchbay/errors';
import type { Admitted, LimitGate } from '../limits/limit-gate.ts';
import type { CallContext, CallObject, Outcome, Step } from './context.ts';

export type ThrottleDeps = { readonly limits: Pick<LimitGate, 'admit'> };

/**
 * Counts what is about to be sent to a server, and refuses what is over a limit. From here on it counts, also when a later step
 * refuses it. What Patchbay answers itself (the catalogue's lists, discovery, sessions, notifications) is not counted.
 */
export function makeThrottle({ limits }: ThrottleDeps): Step {
  return function throttle(ctx: CallContext): Outcome | Promise<Outcome> {
    const { principal, snapshot, target } = ctx;
    if (snapshot === null || snapshot.limits === null || target === null || target.kind !== 'upstream' || principal === null)
      return undefined;
    const { server } = target;
    const object = countedAs(ctx, target.object);
    const admitted = limits.admit({ limits: snapshot.limits, snapshot, principal, serverId: server.id, object });
    return admitted instanceof Promise ? admitted.then((late) => admit(ctx, late)) : admit(ctx, admitted);
  };
}

function admit(ctx: CallContext, admitted: Admitted | Refusal): Outcome {
  if ('code' in admitted) return admitted;
  ctx.admission = admitted.admission;
  ctx.auditedLimitId = admitted.audited;
  return undefined;
}

/** A call of a tool counts for that tool; asking for its task, or its page, does not. */
function countedAs({ message }: CallContext, object: CallObject): CallObject {
  const isOther = object.kind === 'tool' && message !== null && message.method !== 'tools/call';
  return isOther ? { kind: 'method', name: message.method } : object;
}
