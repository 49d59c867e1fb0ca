import type { ScannedMessage } from '@patchbay/mcp-wire';
import { asksForPageOf } from '../upstream/asking/links.ts';
import type { Refused } from '../upstream/asking/takes-no-requests.ts';

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

/** The same without requests that would send the client's user to a page of ours: those are for us alone to point to (security.md §14). */
export function withoutOurPages(view: StreamView, ownOrigin: string): StreamView {
  return { ...view, message: (bytes, message) => (asksForPageOf(ownOrigin, bytes, message) ? OUR_PAGE : view.message(bytes, message)) };
}

/** As that, of a server whose lists are this session's own: it alone knows when they change. */
export const ALL_OF_IT: StreamView = { ...AS_IT_IS, message: (bytes) => bytes };
