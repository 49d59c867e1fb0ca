import type { Sampling } from '@patchbay/contracts';
import type { ScannedMessage } from '@patchbay/mcp-wire';
import { tellWhenOld } from '../catalogues/freshness.ts';
import type { ClientSession } from '../sessions/client-session.ts';
import { asksForPageOf } from '../upstream/asking/links.ts';
import type { Refused } from '../upstream/asking/takes-no-requests.ts';
import { answerToTooMany } from '../upstream/unasked-limits.ts';
import type { ClientStream } from './client-stream.ts';
import { mayAsk, SAMPLING, SAMPLING_REFUSED, withoutContext } from '../upstream/sampling.ts';

/** How an endpoint shows a server's own stream to its client. */
export type StreamView = {
  eventId(id: string): string;
  /** null: not for this client. Of a request also what the server is told instead of an answer. */
  message(bytes: Buffer, message: ScannedMessage): Buffer | Refused | null;
};

/** On the server's own endpoint: byte for byte. That a list has changed is told after the catalogue, by us (architecture.md §5). */
export const AS_IT_IS: StreamView = {
  eventId: (id) => id,
  message: (bytes, message) => (isOfLists(message) ? null : bytes),
};

export function isOfLists({ kind, method }: Pick<ScannedMessage, 'kind' | 'method'>): boolean {
  return kind === 'notification' && method.endsWith('/list_changed');
}

const OUR_PAGE: Refused = { code: -32602, message: 'Only Patchbay points to its own pages.' };

export type Guard = {
  /** Of the pages that only we may send people to. */
  readonly ownOrigin: string;
  readonly session: ClientSession;
  /** False: the server says more than it may without being asked. */
  readonly admits: (message: ScannedMessage) => boolean;
  /** Of the server, now: a stream lasts longer than a setting. */
  readonly sampling: () => Sampling;
};

/**
 * The same without requests that would send the client's user to a page of ours, for those are for us alone to point to (security.md §14),
 * without those for completions that the server may not have, and without what it says beyond its limits.
 */
export function guarded(view: StreamView, { admits, ownOrigin, sampling, session }: Guard): StreamView {
  return {
    ...view,
    message(bytes, message) {
      if (!admits(message)) return answerToTooMany(message);
      if (asksForPageOf(ownOrigin, bytes, message)) return OUR_PAGE;
      if (message.method !== SAMPLING) return view.message(bytes, message);
      const shown = mayAsk(sampling(), message) ? view.message(bytes, message) : SAMPLING_REFUSED;
      return Buffer.isBuffer(shown) ? withoutContext(shown, message, session) : shown;
    },
  };
}

/** The same of a server that makes its lists for each credential: it tells of them itself, and clients hear it when they can see it. */
export function tellingOfLists(view: StreamView, client: Pick<ClientStream, 'isGone' | 'tell'>): StreamView {
  return {
    ...view,
    message(bytes, message) {
      if (!isOfLists(message)) return view.message(bytes, message);
      tellWhenOld(() => (client.isGone ? undefined : client.tell(bytes.toString('utf8'))));
      return null;
    },
  };
}

/** As that, of a server whose lists are this session's own: it alone knows when they change. */
export const ALL_OF_IT: StreamView = { ...AS_IT_IS, message: (bytes) => bytes };
