import type { OrganisationId, Principal, ServerId } from '@patchbay/contracts';
import { type Refusal, refusal } from '@patchbay/errors';
import type { ClientSession } from '../sessions/client-session.ts';
import type { ClientStream } from './client-stream.ts';

/** Whose stream it is, and at which endpoint (`serverId` null: the aggregated one). */
export type StreamOwner = {
  readonly principal: Principal;
  readonly serverId: ServerId | null;
  /** null for modern clients. */
  readonly session: ClientSession | null;
};

/** A stream that a client holds open, and how it is ended from our side. */
export type OpenStream = { readonly owner: StreamOwner; readonly stream: ClientStream; end(): void };

/** Streams that one organisation may hold open on one pod (security.md §15). */
const STREAMS_PER_ORGANISATION_MAX = 2_000;

/** The streams that clients hold open on this pod: what must reach them is sent here, and ends with the pod. */
export class ClientStreams {
  readonly #byOrganisation = new Map<OrganisationId, Set<OpenStream>>();
  #isClosed = false;

  /** Returns how to take it out again; a refusal when the organisation has its share, or when this pod takes none any more. */
  add(open: OpenStream): (() => void) | Refusal {
    const { organisationId } = open.owner.principal;
    const streams = this.#byOrganisation.get(organisationId) ?? new Set();
    if (this.#isClosed) return refusal('http.overloaded', 'This gateway is shutting down.');
    if (streams.size >= STREAMS_PER_ORGANISATION_MAX)
      return refusal('http.overloaded', 'Your organisation has as many open streams as it may have here.');
    this.#byOrganisation.set(organisationId, streams.add(open));
    return () => {
      streams.delete(open);
      if (streams.size === 0 && this.#byOrganisation.get(organisationId) === streams) this.#byOrganisation.delete(organisationId);
    };
  }

  of(organisationId: OrganisationId): Iterable<OpenStream> {
    return this.#byOrganisation.get(organisationId) ?? [];
  }

  count(): number {
    let count = 0;
    for (const streams of this.#byOrganisation.values()) count += streams.size;
    return count;
  }

  /** Ends all of them, and takes no more: their clients come back to another pod. */
  close(): void {
    this.#isClosed = true;
    for (const streams of this.#byOrganisation.values()) for (const open of [...streams]) open.end();
  }
}
