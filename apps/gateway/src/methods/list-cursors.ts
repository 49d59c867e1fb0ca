import { createHash } from 'node:crypto';
import { type Keyring, open, seal } from '@patchbay/vault';
import type { CallContext } from '../pipeline/context.ts';
import type { ListedEntry } from '../snapshot/compiled.ts';

/** Where a page of a list ends: before `entries[end]`. */
export type PageEnd = { readonly entries: readonly ListedEntry[]; readonly end: number };

/**
 * Cursors of our own lists. Any pod opens one, for the caller, endpoint and list that it was made for; it grants nothing, for each page is
 * filtered anew.
 */
export type ListCursors = {
  seal(ctx: CallContext, method: string, page: PageEnd): string;
  /** Where the next page begins; null for what is no cursor of ours or names an entry that is listed no more. */
  open(ctx: CallContext, method: string, entries: readonly ListedEntry[]): number | null;
};

export function makeListCursors(sessionSealingKeys: Keyring): ListCursors {
  const keyring = sessionSealingKeys.derive('list-cursor');
  return {
    seal(ctx, method, { end, entries }) {
      return seal(keyring, JSON.stringify([end, digestOf(entries[end - 1])]), contextOf(ctx, method));
    },
    open(ctx, method, entries) {
      const plaintext = open(keyring, ctx.message?.cursor ?? '', contextOf(ctx, method));
      if (plaintext === null) return null;
      // The seal vouches for the form: only we write it.
      const [end, last] = JSON.parse(plaintext.toString('utf8')) as [number, string];
      // A list that has changed meanwhile goes on behind the same entry.
      if (digestOf(entries[end - 1]) === last) return end;
      const at = entries.findIndex((entry) => digestOf(entry) === last);
      return at < 0 ? null : at + 1;
    },
  };
}

function contextOf({ endpointServer, principal }: CallContext, method: string): string[] {
  return ['list-cursor', principal?.organisationId ?? '', endpointServer?.id ?? 'aggregate', principal?.userId ?? '', method];
}

/** URIs are long, and so would cursors be. */
function digestOf(entry: ListedEntry | undefined): string {
  return createHash('sha256')
    .update(entry?.key ?? '')
    .digest('base64url')
    .slice(0, 22);
}
