import { type Refusal, refusal } from '@patchbay/errors';
import type { CallContext } from '../../pipeline/context.ts';
import type { UpstreamTarget } from '../bridge/make-bridge.ts';
import { Asking, type AskingDeps, type AskingInput, inputRequired, type Resumed } from './asking.ts';
import { declaredBy } from './declared.ts';
import { areAccepted, readResponses } from './input-responses.ts';
import type { ParkedCall } from './request-state.ts';

/** A call that may go on, or an answer that needs no server: the client has answered less than it was asked. */
export type Begun = Asking | { readonly answer: Buffer };

/**
 * A modern client's call at a legacy server, with what it declared and what it answers. `inputResponses` without a `requestState`
 * answer nothing: every question of ours comes with one.
 */
export function beginAsking(deps: AskingDeps, ctx: CallContext, target: UpstreamTarget): Begun | Refusal {
  const { message } = ctx;
  if (message === null) return refusal('internal');
  const declared = declaredBy(ctx.body, message, target.server.sampling);
  if ('code' in declared) return declared;
  for (const member of ['inputResponses', 'requestState'] as const)
    if (message.wrongTypes.includes(member)) return refusal('rpc.params', `params.${member} has the wrong type.`);
  const begin = (resumed: Resumed | null): Asking => new Asking(deps, { ctx, target, declared, resumed });
  if (message.requestState === null) return begin(null);
  const state = deps.states.open(ctx, target, message.requestState);
  if (state === null) return refusal('rpc.params', 'params.requestState is not valid for this request, or has expired.');
  if (state.kind === 'links')
    return areAccepted(ctx.body, message, state.keys) ? begin(null) : refusal('upstream.unanswered', 'A link was to be opened first.');
  const responses = readResponses(ctx.body, message, state.call.questions);
  return responses === null ? askAgain(deps, { ctx, target }, state.call) : begin({ call: state.call, responses });
}

/** All of it, since a client need not remember what it answered before. */
function askAgain({ states }: AskingDeps, { ctx, target }: Pick<AskingInput, 'ctx' | 'target'>, call: ParkedCall): Begun | Refusal {
  const asked: { key: string; request: string }[] = [];
  for (const { key, request } of call.questions) {
    if (request === null)
      return refusal('rpc.params', `params.inputResponses has no answer to ${JSON.stringify(key)}, or one of the wrong form.`);
    asked.push({ key, request });
  }
  return { answer: inputRequired({ ctx, target }, asked, states.mint(ctx, target, { kind: 'parked', call })) };
}
