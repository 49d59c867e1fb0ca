import type { MessageId } from '@patchbay/mcp-wire';
import { type Keyring, open, seal } from '@patchbay/vault';
import type { ClientSession } from '../../sessions/client-session.ts';

/** Where the answer to a question belongs: whose mailbox, in which round of the call, under which key. */
export type Question = { readonly address: string; readonly round: number; readonly key: string };

/** Which call a stream is of: whose mailbox, and the client's id of it. */
export type CallPosition = { readonly address: string; readonly callId: MessageId };

/** Ids that we give to clients and get back on any pod. Each opens in the session that it was made for alone. */
export type QuestionIds = {
  /** The event id of a stream that waits for answers: who comes back with it learns what became of the call. */
  mintPosition(session: ClientSession, position: CallPosition): string;
  openPosition(session: ClientSession, eventId: string): CallPosition | null;
  /** The JSON-RPC id under which the client is asked. Opens in this session alone. */
  mint(session: ClientSession, question: Question): string;
  /** null: no id of ours, or not of this session. */
  open(session: ClientSession, id: MessageId): Question | null;
};

/** Tells our ids from those of servers without opening them. */
const PREFIX = 'patchbay.';

/** Whether an id of a question or of an event is one of ours. */
export function isOurId(id: unknown): id is string {
  return typeof id === 'string' && id.startsWith(PREFIX);
}

type Kind = 'question-id' | 'call-position';

/** The session is the additional data, and with its key the principal and endpoint that it is bound to. */
export function makeQuestionIds(fleet: Keyring): QuestionIds {
  const keyring = fleet.derive('question-id');
  const mint = ({ key, organisationId }: ClientSession, kind: Kind, members: readonly unknown[]): string =>
    PREFIX + seal(keyring, JSON.stringify(members), [kind, organisationId, key]);
  // The seal vouches for the form: only we write it.
  const opened = ({ key, organisationId }: ClientSession, kind: Kind, id: unknown): unknown => {
    const bytes = isOurId(id) ? open(keyring, id.slice(PREFIX.length), [kind, organisationId, key]) : null;
    return bytes === null ? null : JSON.parse(bytes.toString('utf8'));
  };
  return {
    mint: (session, { address, key, round }) => mint(session, 'question-id', [address, round, key]),
    open(session, id) {
      const members = opened(session, 'question-id', id) as [string, number, string] | null;
      return members === null ? null : { address: members[0], round: members[1], key: members[2] };
    },
    mintPosition: (session, { address, callId }) => mint(session, 'call-position', [address, callId]),
    openPosition(session, eventId) {
      const members = opened(session, 'call-position', eventId) as [string, MessageId] | null;
      return members === null ? null : { address: members[0], callId: members[1] };
    },
  };
}
