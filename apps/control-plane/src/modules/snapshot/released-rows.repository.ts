import type { OrganisationId, ServerId } from '@patchbay/contracts';
import type { Server, ServerSecret, Tx } from '../../prisma/index.ts';

/** A server with its secrets, sealed as they are stored. */
export type ServerWithSecrets = Server & { readonly secrets: ServerSecret[] };

export async function serverWithSecrets(tx: Tx, organisationId: OrganisationId, serverId: ServerId): Promise<ServerWithSecrets | null> {
  return tx.server.findUnique({ where: { organisationId_id: { organisationId, id: serverId } }, include: { secrets: true } });
}

/** Whether some grant, the user's own or everyone's, names the server. */
export async function isGranted(
  tx: Tx,
  organisationId: OrganisationId,
  { serverId, userId }: { serverId: ServerId; userId: string },
): Promise<boolean> {
  const grant = await tx.grant.findFirst({
    where: { organisationId, serverId, OR: [{ subjectKind: 'everyone' }, { subjectKind: 'user', userId }] },
    select: { id: true },
  });
  return grant !== null;
}
