import type { OrganisationId } from '@patchbay/contracts';

/** As many as an organisation may have streams of clients on one pod. */
const OF_ORGANISATION_MAX = 2_000;

/** Streams to servers that this pod reads for streams of clients: what each organisation has of them (security.md §15). */
export class StreamShares {
  readonly #taken = new Map<OrganisationId, number>();

  /** Returns how to give it back, once; null when the organisation has its share. */
  take(organisationId: OrganisationId): (() => void) | null {
    const taken = this.#taken.get(organisationId) ?? 0;
    if (taken >= OF_ORGANISATION_MAX) return null;
    this.#taken.set(organisationId, taken + 1);
    return () => {
      const left = (this.#taken.get(organisationId) ?? 1) - 1;
      if (left === 0) this.#taken.delete(organisationId);
      else this.#taken.set(organisationId, left);
    };
  }
}
