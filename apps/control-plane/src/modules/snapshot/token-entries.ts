import { profileOf } from './client-profile.ts';
import type { PersonalToken } from '../../prisma/index.ts';
import type { OrganisationId, Revision, TokenEntry, TokenHash } from '@patchbay/contracts';
import type { Stores } from '../../ports/stores.ts';
import type { Signer } from '../../ports/signer.ts';

const BATCH = 500;

/** The signed directory entry of one personal token, as of `revision`. */
export function tokenEntry(row: PersonalToken, revision: Revision, signer: Signer): Promise<string> {
  const entry: Record<keyof TokenEntry, unknown> = {
    organisationId: row.organisationId,
    tokenHash: row.tokenHash,
    tokenId: row.id,
    userId: row.userId,
    expiresAtMs: row.expiresAt.getTime(),
    revision,
    revoked: row.revokedAt !== null,
    // Left out of the text where there is none.
    clientProfile: profileOf(row),
  };
  return signer.sign('tokenEntry', entry);
}

/** Writes entries through to the directory, which then stands at `revision`. */
export async function putTokenEntries(
  { stores, signer }: { stores: Stores; signer: Signer },
  { organisationId, revision }: { organisationId: OrganisationId; revision: Revision },
  rows: readonly PersonalToken[],
): Promise<void> {
  for (let from = 0; from === 0 || from < rows.length; from += BATCH) {
    const batch = rows.slice(from, from + BATCH);
    const entries = await Promise.all(
      batch.map(async (row) => ({
        tokenHash: row.tokenHash as TokenHash,
        jws: await tokenEntry(row, revision, signer),
        expiresAtMs: row.expiresAt.getTime(),
      })),
    );
    await stores.directory.putTokens(organisationId, revision, entries);
  }
}
