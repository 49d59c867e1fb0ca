import type { Principal, ServerId } from '@patchbay/contracts';
import type { PolicyObject } from '@patchbay/policy';
import type { CallContext } from '../pipeline/context.ts';
import type { ClientSession } from '../sessions/client-session.ts';

/** Whose stream it is, at which endpoint (`serverId` null: the aggregated one), and since which revision. */
export type StreamOwner = {
  readonly organisationSlug: string;
  readonly principal: Principal;
  readonly tokenHash: string;
  readonly serverId: ServerId | null;
  /** null for modern clients. */
  readonly session: ClientSession | null;
  readonly revision: number;
  /** What else of which servers it is told of: its right to each of them is its right to the stream. */
  readonly subscribed: readonly Subscribed[];
};

export type Subscribed = { readonly serverId: ServerId; readonly object: PolicyObject };

/** Who holds what this call opens; only for calls that were authenticated and read. */
export function streamOwnerOf(ctx: CallContext, subscribed: readonly Subscribed[] = []): StreamOwner {
  const { endpointServer, principal, session, snapshot, tokenHash } = ctx;
  if (principal === null || snapshot === null) throw new TypeError('a call without a principal holds no stream');
  const { organisationSlug, revision } = snapshot;
  return { organisationSlug, principal, tokenHash, serverId: endpointServer?.id ?? null, session, revision, subscribed };
}
