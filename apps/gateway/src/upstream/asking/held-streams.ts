import type { OrganisationId } from '@patchbay/contracts';
import type { Mailboxes } from '../../mailbox/mailboxes.ts';

/** Of an organisation's on one pod (security.md §15): each is a connection to a server. */
const HELD_PER_ORGANISATION_MAX = 500;

type Held = { drop(): void };

/** The streams that this pod holds for calls that wait, and how other pods are reached about them. */
export class HeldStreams {
  readonly mailboxes: Pick<Mailboxes, 'open' | 'post'>;
  readonly #byOrganisation = new Map<OrganisationId, Set<Held>>();

  constructor(mailboxes: Pick<Mailboxes, 'open' | 'post'>) {
    this.mailboxes = mailboxes;
  }

  hasRoom(organisationId: OrganisationId): boolean {
    return (this.#byOrganisation.get(organisationId)?.size ?? 0) < HELD_PER_ORGANISATION_MAX;
  }

  add(organisationId: OrganisationId, held: Held): void {
    const all = this.#byOrganisation.get(organisationId) ?? new Set();
    this.#byOrganisation.set(organisationId, all.add(held));
  }

  delete(organisationId: OrganisationId, held: Held): void {
    const all = this.#byOrganisation.get(organisationId);
    all?.delete(held);
    if (all?.size === 0) this.#byOrganisation.delete(organisationId);
  }

  /** The pod ends, and the calls with it. */
  close(): void {
    for (const all of this.#byOrganisation.values()) for (const held of [...all]) held.drop();
  }
}
