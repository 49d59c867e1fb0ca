import { randomBytes } from 'node:crypto';
import type { OrganisationId } from '@patchbay/contracts';
import type { SharedStore } from '@patchbay/ports';
import { type Keyring, open, seal } from '@patchbay/vault';

export type TicketsDeps = {
  /** The fleet's session sealing keys: any pod redeems what another gave out. */
  readonly keyring: Keyring;
  readonly store: Pick<SharedStore, 'setIfAbsent'>;
  readonly clock: { nowMs(): number };
};

/** What a browser, which cannot set headers on a WebSocket, presents in their place (security.md §8). */
export type Tickets = {
  /** Good once, for this endpoint, for half a minute. It holds the token, sealed: whoever asks for it has that already. */
  mint(organisationId: OrganisationId, path: string, authorization: string): string;
  /** The `Authorization` that it stands for; null when it is none of ours, of another endpoint, too old or used. Throws when the store is away. */
  redeem(ticket: string, path: string): Promise<string | null>;
};

export const TICKET_LIFETIME_MS = 30_000;
const TICKET_CHARACTERS_MAX = 2_048;
const NONCE_BYTES = 16;

export function makeTickets({ keyring, store, clock }: TicketsDeps): Tickets {
  const keys = keyring.derive('ws-ticket');
  const nonce = (): string => randomBytes(NONCE_BYTES).toString('base64url');
  return {
    mint: (organisationId, path, authorization) =>
      seal(keys, JSON.stringify([organisationId, authorization, clock.nowMs() + TICKET_LIFETIME_MS, nonce()]), ['ws-ticket', path]),
    async redeem(ticket, path) {
      const opened = ticket.length > TICKET_CHARACTERS_MAX ? null : open(keys, ticket, ['ws-ticket', path]);
      if (opened === null) return null;
      // The seal vouches for the form: only we write it.
      const [organisationId, authorization, expiresAtMs, name] = JSON.parse(opened.toString('utf8')) as [
        OrganisationId,
        string,
        number,
        string,
      ];
      if (expiresAtMs <= clock.nowMs()) return null;
      const mine = nonce();
      const stands = await store.setIfAbsent(organisationId, `ws-ticket/${name}`, mine, TICKET_LIFETIME_MS);
      return stands === mine ? authorization : null;
    },
  };
}
