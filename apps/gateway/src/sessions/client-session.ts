import type { OrganisationId, ServerId, UserId } from '@patchbay/contracts';

/** What a legacy client's sealed `Mcp-Session-Id` says once opened and checked (architecture.md §5). Immutable. */
export type ClientSession = {
  readonly organisationId: OrganisationId;
  /** null: the aggregated endpoint. */
  readonly serverId: ServerId | null;
  readonly userId: UserId;
  /** 128 random bits: what upstream sessions and tombstones of this session are recorded under. */
  readonly key: string;
  readonly protocolVersion: string;
  readonly expiresAtMs: number;
  /** The upstream session that a forwarded `initialize` opened, if one was. */
  readonly upstreamSessionId: string | null;
  /** The stdio host that it lies on; null also for a remote server's. */
  readonly upstreamInstance: string | null;
};
