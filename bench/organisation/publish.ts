import type { Revision, TokenEntry, TokenHash } from '@patchbay/contracts';
import type { Ports } from '@patchbay/ports';
import { manifestOf, partsOf } from './documents.ts';
import type { Member, Organisation } from './organisation.ts';
import type { Signer } from './signer.ts';

const TOKENS_AT_ONCE = 500;
const EPOCH = 1;

/** Writes an organisation into the stores as a control plane does: what is signed is signed, and gateways verify it. */
export async function publish(organisation: Organisation, ports: Ports, signer: Signer): Promise<void> {
  const { id, members, slug } = organisation;
  const revision = organisation.revision as Revision;
  const parts = partsOf(organisation);
  await ports.parts.putParts(
    id,
    parts.map(({ bytes, row }) => ({ hash: row.hash, bytes })),
  );
  for (let from = 0; from < members.length; from += TOKENS_AT_ONCE) {
    const some = members.slice(from, from + TOKENS_AT_ONCE);
    await ports.directory.putTokens(id, revision, await Promise.all(some.map((member) => entryOf(organisation, member, signer))));
  }
  await ports.directory.putOrganisation(slug, await organisationEntry(organisation, signer));
  await ports.parts.putManifest(id, { epoch: EPOCH, revision }, await signer.sign('manifest', manifestOf(organisation, parts)));
  await ports.bus.publish(
    'revisions',
    await signer.sign('announcement', { organisationId: id, epoch: EPOCH, revision, invalidations: [] }),
  );
}

/** Its slug's entry in the directory. */
export function organisationEntry({ id, slug }: Organisation, signer: Signer): Promise<string> {
  return signer.sign('organisationEntry', { organisationId: id, slug });
}

async function entryOf(
  { id, revision }: Organisation,
  { tokenHash, tokenId, userId }: Member,
  signer: Signer,
): Promise<{ tokenHash: TokenHash; jws: string }> {
  const entry = {
    organisationId: id,
    tokenHash,
    tokenId,
    userId,
    expiresAtMs: null,
    revision: revision as Revision,
    revoked: false,
  } satisfies TokenEntry;
  return { tokenHash, jws: await signer.sign('tokenEntry', entry) };
}
