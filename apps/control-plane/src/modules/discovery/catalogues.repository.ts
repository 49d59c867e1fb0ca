import type { OrganisationId, ServerId } from '@patchbay/contracts';
import type { Server, ServerCatalogue, ServerSecret, Tx } from '../../prisma/index.ts';

/** What is written of an attempt: of a failed one the error, of one that found something new the entries too. */
type CatalogueWrite = Omit<Parameters<Tx['serverCatalogue']['create']>[0]['data'], 'organisationId' | 'serverId' | 'server'> & {
  generation: string;
  attemptedAt: Date;
};

export type ServerToAsk = {
  readonly server: Server;
  readonly secrets: ServerSecret[];
  /** What an earlier discovery found; null: there was none. */
  readonly found: Pick<ServerCatalogue, 'era' | 'eraProbedAt' | 'generation'> | null;
};

/** The server to ask, with its sealed secrets. */
export async function serverToAsk(tx: Tx, organisationId: OrganisationId, serverId: ServerId): Promise<ServerToAsk | null> {
  const row = await tx.server.findUnique({
    where: { organisationId_id: { organisationId, id: serverId } },
    include: { secrets: true, catalogue: { select: { era: true, eraProbedAt: true, generation: true } } },
  });
  if (row === null) return null;
  const { catalogue, secrets, ...server } = row;
  return { server, secrets, found: catalogue };
}

/** The part that was found last for this generation of the server; null: there is none. */
export async function observedPart(tx: Tx, { generation, id, organisationId }: Server): Promise<Uint8Array | null> {
  const row = await tx.serverCatalogue.findUnique({
    where: { organisationId_serverId: { organisationId, serverId: id } },
    select: { generation: true, observed: true },
  });
  return row?.generation === generation ? row.observed : null;
}

/** `isSilent`: the last attempt failed. */
export type StandingCatalogue = { readonly acceptedPart: string | null; readonly isSilent: boolean };

/**
 * What is accepted now (null: nothing yet); undefined when the server is gone or has changed since it was asked.
 * Locks the server until the transaction ends.
 */
export async function lockedCatalogue(tx: Tx, { organisationId, id, generation }: Server): Promise<StandingCatalogue | undefined> {
  const [row] = await tx.$queryRaw<{ generation: string }[]>`
    select generation from servers where organisation_id = ${organisationId}::uuid and id = ${id}::uuid for update`;
  if (row?.generation !== generation) return undefined;
  const catalogue = await tx.serverCatalogue.findUnique({
    where: { organisationId_serverId: { organisationId, serverId: id } },
    select: { acceptedHash: true, error: true },
  });
  return { acceptedPart: catalogue?.acceptedHash ?? null, isSilent: (catalogue?.error ?? null) !== null };
}

/** Leaves as it is what `data` does not name. */
export async function writeCatalogue(tx: Tx, { organisationId, id }: Server, data: CatalogueWrite): Promise<void> {
  const key = { organisationId, serverId: id };
  await tx.serverCatalogue.upsert({ where: { organisationId_serverId: key }, create: { ...key, ...data }, update: data });
}
