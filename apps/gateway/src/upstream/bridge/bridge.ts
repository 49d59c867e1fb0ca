import type { Refusal } from '@patchbay/errors';
import type { MessageId, ScannedMessage } from '@patchbay/mcp-wire';
import type { InputRequired } from '../rounds/input-required.ts';

/** One call as the upstream gets it, and the way back: by the era of the client and the era of the upstream. */
export type Bridge = {
  /** The request's bytes for the upstream; the client's own when nothing differs. */
  readonly body: Buffer;
  /** The id under which the upstream knows the request. */
  readonly upstreamId: MessageId;
  /** The answer's bytes may go down unread: same era, same id. */
  readonly isVerbatim: boolean;
  /** The answer for the client; a refusal when it cannot be carried between these revisions, or what is needed before there is one. */
  answer(bytes: Buffer, message: ScannedMessage): Buffer | InputRequired | Refusal;
  /** A server's request as this client is asked it, on the stream of its call; null: it is not asked that, or cannot be asked anything. */
  request(bytes: Buffer, message: ScannedMessage): Buffer | null;
  /** How the client is told of an event's position; null: it is offered none, for it could not come back to it. */
  readonly eventId: ((id: string) => string) | null;
  /** A notification on the call's stream for the client; null when it is not for this client. */
  notification(bytes: Buffer, message: ScannedMessage): Buffer | null;
};
