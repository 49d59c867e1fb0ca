import type { OrganisationId } from '@patchbay/contracts';
import type { Tx } from '../../prisma/index.ts';
import { readCatalogueHeader } from '@patchbay/discovery';

const BATCH = 1_000;

/**
 * Gives each bare tool and prompt name that nobody holds to the server that offers it; among several to the one registered
 * first. Names that are held stay where they are (architecture.md §3).
 */
export async function claimBareNames(tx: Tx, organisationId: OrganisationId): Promise<void> {
  const catalogues = await tx.serverCatalogue.findMany({
    where: { organisationId, accepted: { not: null } },
    orderBy: { server: { id: 'asc' } },
    select: { serverId: true, accepted: true },
  });
  const rows = catalogues.flatMap(({ serverId, accepted }) =>
    accepted === null ? [] : namesOf(accepted).map((name) => ({ ...name, organisationId, serverId })),
  );
  for (let from = 0; from < rows.length; from += BATCH) {
    await tx.bareName.createMany({ data: rows.slice(from, from + BATCH), skipDuplicates: true });
  }
}

function namesOf(accepted: Uint8Array): { kind: string; name: string }[] {
  return readCatalogueHeader(accepted)
    .header.entries.filter(({ kind }) => kind === 'tool' || kind === 'prompt')
    .map(({ kind, name }) => ({ kind, name }));
}
