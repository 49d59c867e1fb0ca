import { refusal } from '@patchbay/errors';
import { ANSWERED, type CallContext, type Outcome, type Step } from '../pipeline/context.ts';
import { respondResult } from '../pipeline/respond.ts';
import type { SessionStates } from '../sessions/session-states.ts';
import { subscriptionEdit } from '../sessions/subscriptions.ts';
import { ownerOf } from '../subscriptions/plan.ts';

export type ChangeSubscriptionDeps = { readonly states: Pick<SessionStates, 'change'> };

/**
 * `resources/subscribe` and `unsubscribe` where the session is ours: at the aggregated endpoint and at servers without sessions. Answered when
 * the pods that hold streams of the session have taken it, so that an update that follows is told.
 */
export function makeChangeSubscription({ states }: ChangeSubscriptionDeps): Step {
  return async function changeSubscription(ctx: CallContext): Promise<Outcome> {
    const { message, session } = ctx;
    if (session === null || message === null) return refusal('rpc.method_unknown', 'A subscription belongs to a session.');
    const spelled = message.uri;
    if (spelled === null) return refusal('rpc.params', 'params.uri must be the URI of a resource.');
    const owned = ownerOf(ctx, spelled);
    if (owned === null) return refusal('resource.unknown', null, { uri: spelled });
    const edit = subscriptionEdit(message.method, { serverId: owned.server.id, uri: owned.own, spelled });
    if (edit === null) return refusal('internal');
    if (!(await states.change(session, edit))) return refusal('http.overloaded', 'The subscription could not be recorded.');
    respondResult(ctx, '{}');
    return ANSWERED;
  };
}
