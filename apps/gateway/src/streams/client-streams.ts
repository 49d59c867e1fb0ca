import { type Invalidation, type OrganisationId, REVOKED_HASH_LENGTH } from '@patchbay/contracts';
import { type Refusal, refusal } from '@patchbay/errors';
import { decide } from '@patchbay/policy';
import type { ChangeListener } from '../snapshot/changes.ts';
import type { CompiledSnapshot } from '../snapshot/compiled.ts';
import type { ChangingList } from './changed-lists.ts';
import { ListWatch } from './list-watch.ts';
import type { StreamOwner } from './stream-owner.ts';

/** A stream that a client holds open. Neither call may throw. */
export type OpenStream = {
  readonly owner: StreamOwner;
  /** These look different to its owner since the last word. */
  listsChanged(lists: ReadonlySet<ChangingList>): void;
  /** From our side: the client may ask for another. */
  end(): void;
};

export type IsAdmitted = (owner: StreamOwner) => boolean | Promise<boolean>;

type Held = { readonly streams: Set<OpenStream>; readonly lists: ListWatch };

/** Streams that one organisation may hold open on one pod, and one user of it (security.md §15). */
const OF_ORGANISATION_MAX = 2_000;
const OF_USER_MAX = 64;
const LOOK_EVERY_MS = 20_000;

/**
 * The streams that clients hold open on this pod. Each ends with the pod and with the right to it: its token, its user, its session, the
 * grant to its endpoint (security.md §12). After a swap its owner is told which lists look different to it, and of no others.
 */
export class ClientStreams implements ChangeListener {
  readonly #byOrganisation = new Map<OrganisationId, Held>();
  #looks: NodeJS.Timeout | null = null;
  #isClosed = false;

  /** Returns how to take it out again; a refusal when its user or organisation has their share, or when this pod takes none any more. */
  add(open: OpenStream): (() => void) | Refusal {
    const { organisationId, userId } = open.owner.principal;
    if (this.#isClosed) return refusal('http.overloaded', 'This gateway is shutting down.');
    const held = this.#byOrganisation.get(organisationId) ?? nothingHeld();
    const own = [...held.streams].filter(({ owner }) => owner.principal.userId === userId).length;
    if (own >= OF_USER_MAX || held.streams.size >= OF_ORGANISATION_MAX) return refusal('stream.limit');
    this.#byOrganisation.set(organisationId, held);
    held.streams.add(open);
    return () => {
      held.streams.delete(open);
      if (held.streams.size === 0 && this.#byOrganisation.get(organisationId) === held) this.#byOrganisation.delete(organisationId);
    };
  }

  count(): number {
    let count = 0;
    for (const { streams } of this.#byOrganisation.values()) count += streams.size;
    return count;
  }

  invalidated(organisationId: OrganisationId, invalidations: readonly Invalidation[]): void {
    if (!this.#byOrganisation.has(organisationId)) return;
    const revisions = new Map(invalidations.map((each) => [subjectOf(each), each.revision]));
    // What was opened at that revision or later was admitted in the knowledge of it.
    this.#endWhere(organisationId, ({ principal, revision, tokenHash }) =>
      [tokenHash, principal.userId].some((subject) => revision < (revisions.get(subject) ?? 0)),
    );
  }

  missed(organisationId: OrganisationId): void {
    this.#endWhere(organisationId, () => true);
  }

  /** Called after a swap. */
  swapped(before: CompiledSnapshot, after: CompiledSnapshot): void {
    this.#endWhere(after.organisationId, (owner) => !isCovered(owner, after));
    this.#byOrganisation.get(after.organisationId)?.lists.swapped(before, after);
  }

  /** A session was ended by its client, on whichever pod. */
  sessionEnded(organisationId: OrganisationId, key: string): void {
    this.#endWhere(organisationId, ({ session }) => session?.key === key);
  }

  /** From now on looks now and then whether owners are still admitted, for tokens expire and pods lose touch. */
  watch(isAdmitted: IsAdmitted): void {
    this.#looks = setInterval(() => {
      for (const { streams } of this.#byOrganisation.values()) for (const open of streams) void endUnless(open, isAdmitted);
    }, LOOK_EVERY_MS);
    this.#looks.unref();
  }

  /** Ends all of them, and takes no more: their clients come back to another pod. */
  close(): void {
    this.#isClosed = true;
    if (this.#looks !== null) clearInterval(this.#looks);
    for (const organisationId of [...this.#byOrganisation.keys()]) this.#endWhere(organisationId, () => true);
  }

  #endWhere(organisationId: OrganisationId, isOver: (owner: StreamOwner) => boolean): void {
    for (const open of [...(this.#byOrganisation.get(organisationId)?.streams ?? [])]) if (isOver(open.owner)) open.end();
  }
}

function nothingHeld(): Held {
  const streams = new Set<OpenStream>();
  return { streams, lists: new ListWatch(streams) };
}

/** Whose streams it ends; nobody's when it is a server's credential that changed. */
function subjectOf(invalidation: Invalidation): string {
  switch (invalidation.kind) {
    case 'token':
      return invalidation.tokenHash;
    case 'user':
      return invalidation.userId;
    case 'credential':
      return '';
  }
}

/** Whether the snapshot still knows nothing against the token, and grants the endpoint and all that the stream tells of. */
function isCovered(owner: StreamOwner, { grants, revokedTokens, serversById }: CompiledSnapshot): boolean {
  const { principal, serverId, subscribed, tokenHash } = owner;
  if (revokedTokens.has(tokenHash.slice(0, REVOKED_HASH_LENGTH))) return false;
  if (subscribed.some(({ object, serverId: owning }) => decide(grants, principal, owning, object).kind === 'deny')) return false;
  if (serverId === null) return true;
  const server = serversById.get(serverId);
  return server !== undefined && decide(grants, principal, serverId, { kind: 'server', name: server.slug }).kind === 'allow';
}

async function endUnless(open: OpenStream, isAdmitted: IsAdmitted): Promise<void> {
  if (!(await isAdmitted(open.owner))) open.end();
}
