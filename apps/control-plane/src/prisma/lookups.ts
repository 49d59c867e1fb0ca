import type { OrganisationId, OrganisationSlug, PodId, Revision, Role, ServerId, UserId } from '@patchbay/contracts';
import type { Era } from '@patchbay/mcp-wire';
import { Prisma } from '../generated/prisma/client.ts';
import { Database } from './database.ts';

export type Position = {
  readonly organisationId: OrganisationId;
  readonly slug: OrganisationSlug;
  readonly epoch: number;
  readonly revision: Revision;
};

/** What one organisation has committed and not published. */
export type Backlog = { readonly organisationId: OrganisationId; readonly changes: number; readonly oldestAt: Date };

/** A server that says of which of its lists it tells changes. */
export type Listenable = {
  readonly organisationId: OrganisationId;
  readonly serverId: ServerId;
  readonly generation: string;
  readonly era: Era;
  readonly lists: readonly string[];
};

type Who = {
  readonly organisationId: OrganisationId;
  readonly slug: OrganisationSlug;
  readonly userId: UserId;
  readonly email: string;
  readonly role: Role;
  readonly operator: boolean;
};

/** Everything that may be asked without an organisation (security.md §6): each one a SECURITY DEFINER function. */
export class Lookups {
  constructor(private readonly database: Database) {}

  async organisationBySlug(slug: string): Promise<(Position & { readonly name: string }) | null> {
    const [row] = await this.database.query<Position & { name: string }>(
      Prisma.sql`select organisation_id as "organisationId", slug, name, epoch, revision from organisation_by_slug(${slug})`,
    );
    return row ?? null;
  }

  /** In the order of their creation. */
  async positions(): Promise<Position[]> {
    return this.database.query(Prisma.sql`select organisation_id as "organisationId", slug, epoch, revision from organisation_positions()`);
  }

  /** A session that has not expired. */
  async sessionByHash(
    hash: string,
  ): Promise<(Who & { readonly sessionId: string; readonly signedInAt: Date; readonly expiresAt: Date }) | null> {
    const [row] = await this.database.query<Who & { sessionId: string; signedInAt: Date; expiresAt: Date }>(
      Prisma.sql`select organisation_id as "organisationId", slug, session_id as "sessionId", user_id as "userId", email, role, operator,
        signed_in_at as "signedInAt", expires_at as "expiresAt" from session_by_hash(${hash})`,
    );
    return row ?? null;
  }

  /** An API token that is neither revoked nor expired. */
  async apiTokenByHash(hash: string): Promise<(Who & { readonly scopes: string[] }) | null> {
    const [row] = await this.database.query<Who & { scopes: string[] }>(
      Prisma.sql`select organisation_id as "organisationId", slug, user_id as "userId", email, role, operator, scopes from api_token_by_hash(${hash})`,
    );
    return row ?? null;
  }

  async unpublished(): Promise<Backlog[]> {
    return this.database.query(
      Prisma.sql`select organisation_id as "organisationId", changes, oldest_at as "oldestAt" from unpublished_outbox()`,
    );
  }

  /** Pods that may still serve, of whichever control plane has heard them. */
  async podsHeard(): Promise<{ podId: PodId; stalenessBudgetMs: number; heardMsAgo: number }[]> {
    return this.database.query(
      Prisma.sql`select pod_id as "podId", staleness_budget_ms as "stalenessBudgetMs", heard_ms_ago as "heardMsAgo" from pods_heard()`,
    );
  }

  async podHeard(podId: PodId, stalenessBudgetMs: number): Promise<void> {
    await this.database.query(Prisma.sql`select pod_heard(${podId}::uuid, ${stalenessBudgetMs}::integer)::text`);
  }

  async podLeft(podId: PodId): Promise<void> {
    await this.database.query(Prisma.sql`select pod_left(${podId}::uuid)::text`);
  }

  /** Servers that say they tell of changed lists, as the last good discovery with their present generation found them. */
  async serversToListenTo(): Promise<Listenable[]> {
    return this.database.query(
      Prisma.sql`select organisation_id as "organisationId", server_id as "serverId", generation, era, lists from servers_to_listen_to()`,
    );
  }

  async serversDue(attemptedBefore: Date): Promise<{ organisationId: OrganisationId; serverId: ServerId }[]> {
    return this.database.query(
      Prisma.sql`select organisation_id as "organisationId", server_id as "serverId" from servers_due(${attemptedBefore})`,
    );
  }
}
