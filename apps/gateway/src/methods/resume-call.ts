import { type Refusal, refusal } from '@patchbay/errors';
import type { Mailboxes } from '../mailbox/mailboxes.ts';
import type { CallContext } from '../pipeline/context.ts';
import { rpcError } from '../pipeline/refuse.ts';
import type { ClientStream } from '../streams/client-stream.ts';
import type { CallPosition, QuestionIds } from '../upstream/rounds/question-ids.ts';

export type ResumeCallDeps = {
  readonly mailboxes: Pick<Mailboxes, 'isOpen'>;
  readonly questionIds: Pick<QuestionIds, 'openPosition'>;
  /** How often it is looked whether the call still stands. */
  readonly lookEveryMs?: number;
};

const LOOK_EVERY_MS = 2_000;

/**
 * A client that lost the stream of a call which waited for its answer comes back for the rest. The call's result goes to the stream that it
 * began on and to no other; so the client waits here until the call has ended or its pod is gone, and is then told so, in the name of the call.
 */
export function makeResumeCall({ lookEveryMs = LOOK_EVERY_MS, mailboxes, questionIds }: ResumeCallDeps) {
  return function resumeCall(ctx: CallContext, stream: ClientStream, eventId: string): Refusal | undefined {
    const position = ctx.session === null ? null : questionIds.openPosition(ctx.session, eventId);
    if (position === null) return refusal('stream.position');
    stream.begin();
    stream.keepAlive();
    void watch(ctx, stream, position);
    return undefined;
  };

  async function watch(ctx: CallContext, stream: ClientStream, { address, callId }: CallPosition): Promise<void> {
    const { organisationId } = ctx.session ?? {};
    if (organisationId === undefined) return;
    while (!stream.isGone) {
      // A store that is away says nothing about the call.
      // oxlint-disable-next-line no-await-in-loop -- each look is after the one before
      if (!(await mailboxes.isOpen(organisationId, address).catch(() => true))) {
        stream.sendEvent(Buffer.from(rpcError(ctx, JSON.stringify(callId), refusal('upstream.call_lost', GONE))));
        stream.end();
        return;
      }
      // oxlint-disable-next-line no-await-in-loop -- each look is after the one before
      await new Promise((resolve) => setTimeout(resolve, lookEveryMs).unref());
    }
  }
}

const GONE = 'The stream that its answer was for has broken off: the gateway that held it has stopped, or the connection was lost.';
