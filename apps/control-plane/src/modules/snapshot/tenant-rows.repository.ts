import type { ClientProfile, OrganisationId } from '@patchbay/contracts';
import type { BareName, Grant, Limit, Server, Tx } from '../../prisma/index.ts';
import { profileOf } from './client-profile.ts';
import { readOrganisation } from './directory-rows.repository.ts';

/** `silentSince`: of the last good discovery, where a later one failed. */
type CatalogueRow = { readonly serverId: string; readonly hash: string; readonly length: number; readonly silentSince: Date | null };

export type TenantRows = {
  /** Of the aggregated endpoint. */
  readonly clientProfile: ClientProfile | undefined;
  readonly allowedOrigins: readonly string[];
  readonly servers: readonly (Server & { readonly hasCredential: boolean })[];
  readonly catalogues: readonly CatalogueRow[];
  readonly grants: readonly Grant[];
  readonly limits: readonly Limit[];
  readonly bareNames: readonly BareName[];
  /** Hashes of tokens that were revoked and have not expired. */
  readonly revokedTokens: readonly string[];
};

/** All that a snapshot is made of, of the transaction's organisation; read it in a repeatable-read transaction. */
export async function readTenantRows(tx: Tx, organisationId: OrganisationId, now: Date): Promise<TenantRows> {
  const where = { organisationId };
  const organisation = await readOrganisation(tx, organisationId);
  const servers = await tx.server.findMany({
    where,
    orderBy: { id: 'asc' },
    include: { secrets: { where: { kind: 'header' }, select: { name: true }, take: 1 } },
  });
  const catalogues = await tx.$queryRaw<CatalogueRow[]>`
    select server_id as "serverId", accepted_hash as hash, octet_length(accepted) as length,
      case when error is not null then discovered_at end as "silentSince" from server_catalogues
    where organisation_id = ${organisationId}::uuid and accepted is not null order by server_id`;
  const grants = await tx.grant.findMany({ where, orderBy: { id: 'asc' } });
  const limits = await tx.limit.findMany({ where, orderBy: { id: 'asc' } });
  const bareNames = await tx.bareName.findMany({ where, orderBy: [{ kind: 'asc' }, { name: 'asc' }] });
  const revoked = await tx.personalToken.findMany({
    where: { organisationId, revokedAt: { not: null }, expiresAt: { gt: now } },
    select: { tokenHash: true },
  });
  return {
    clientProfile: organisation === null ? undefined : profileOf(organisation),
    allowedOrigins: organisation?.allowedOrigins ?? [],
    servers: servers.map(({ secrets, ...server }) => ({ ...server, hasCredential: secrets.length > 0 })),
    catalogues,
    grants,
    limits,
    bareNames,
    revokedTokens: revoked.map(({ tokenHash }) => tokenHash),
  };
}

/** An accepted catalogue's bytes; null when another one, or none, is accepted by now. */
export async function acceptedCatalogue(
  tx: Tx,
  organisationId: OrganisationId,
  { serverId, hash }: { serverId: string; hash: string },
): Promise<Uint8Array | null> {
  const row = await tx.serverCatalogue.findFirst({ where: { organisationId, serverId, acceptedHash: hash }, select: { accepted: true } });
  return row?.accepted ?? null;
}
