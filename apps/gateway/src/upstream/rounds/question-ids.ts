import type { MessageId } from '@patchbay/mcp-wire';
import { type Keyring, open, seal } from '@patchbay/vault';
import type { ClientSession } from '../../sessions/client-session.ts';

/** Where the answer to a question belongs: whose mailbox, in which round of the call, under which key. */
export type Question = { readonly address: string; readonly round: number; readonly key: string };

export type QuestionIds = {
  /** The JSON-RPC id under which the client is asked. Opens in this session alone. */
  mint(session: ClientSession, question: Question): string;
  /** null: no id of ours, or not of this session. */
  open(session: ClientSession, id: MessageId): Question | null;
};

/** Tells our ids from those of servers without opening them. */
const PREFIX = 'patchbay.';

export function isQuestionId(id: MessageId | null): id is string {
  return typeof id === 'string' && id.startsWith(PREFIX);
}

/** The session is the additional data, and with its key the principal and endpoint that it is bound to. */
export function makeQuestionIds(fleet: Keyring): QuestionIds {
  const keyring = fleet.derive('question-id');
  const contextOf = ({ key, organisationId }: ClientSession): string[] => ['question-id', organisationId, key];
  return {
    mint: (session, { address, key, round }) => PREFIX + seal(keyring, JSON.stringify([address, round, key]), contextOf(session)),
    open(session, id) {
      const opened = isQuestionId(id) ? open(keyring, id.slice(PREFIX.length), contextOf(session)) : null;
      if (opened === null) return null;
      // The seal vouches for the form: only we write it.
      const [address, round, key] = JSON.parse(opened.toString('utf8')) as [string, number, string];
      return { address, round, key };
    },
  };
}
