import { refusal } from '@patchbay/errors';
import { within } from '../directory/within.ts';
import type { Mailboxes } from '../mailbox/mailboxes.ts';
import { ANSWERED, type CallContext, type Outcome, type Step } from '../pipeline/context.ts';
import { respondAccepted } from '../pipeline/respond.ts';
import type { Answer } from '../upstream/rounds/input-rounds.ts';
import type { QuestionIds } from '../upstream/rounds/question-ids.ts';

export type TakeAnswerDeps = { readonly mailboxes: Pick<Mailboxes, 'post'>; readonly questionIds: Pick<QuestionIds, 'open'> };

const STORE_TIMEOUT_MS = 3_000;

/** A client's response to a question of ours goes to the pod that holds the call, whichever it is; one that nobody waits for is refused. */
export function makeTakeAnswer({ mailboxes, questionIds }: TakeAnswerDeps): Step {
  return async function takeAnswer(ctx: CallContext): Promise<Outcome> {
    const { body, message, session } = ctx;
    if (message === null || message.id === null || session === null) return refusal('internal');
    const question = questionIds.open(session, message.id);
    if (question === null) return refusal('answer.unexpected');
    const textOf = (span: typeof message.resultSpan): string | null => (span === null ? null : body.toString('utf8', span.start, span.end));
    const { address, key, round } = question;
    const answer: Answer = { round, key, result: textOf(message.resultSpan), error: textOf(message.errorSpan) };
    const posted = await within(mailboxes.post(session.organisationId, address, JSON.stringify(answer)), STORE_TIMEOUT_MS, null);
    if (posted === null) return refusal('http.overloaded', 'The answer could not be handed on.');
    if (posted !== 'posted') return refusal('answer.unexpected');
    respondAccepted(ctx);
    return ANSWERED;
  };
}
