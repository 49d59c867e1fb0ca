import type { OrganisationId, ServerId, UserId } from '@patchbay/contracts';

/** What a client said of itself when it initialised. */
export type ClientFacts = {
  /** As negotiated. */
  readonly protocolVersion: string;
  /** A JSON object as text; `{}` also when the store that holds it cannot be asked: never more than was declared. */
  readonly capabilities: string;
  /** JSON text of an object; null when it said nothing, or as above. */
  readonly clientInfo: string | null;
};

/** What a legacy client's sealed `Mcp-Session-Id` says once opened and checked (architecture.md §5). Immutable. */
export type ClientSession = ClientFacts & {
  readonly organisationId: OrganisationId;
  /** null: the aggregated endpoint. */
  readonly serverId: ServerId | null;
  readonly userId: UserId;
  /** 128 random bits: what upstream sessions and tombstones of this session are recorded under. */
  readonly key: string;
  readonly expiresAtMs: number;
  /** The upstream session that a forwarded `initialize` opened, if one was. */
  readonly upstreamSessionId: string | null;
  /** The stdio host that it lies on; null also for a remote server's. */
  readonly upstreamInstance: string | null;
};
