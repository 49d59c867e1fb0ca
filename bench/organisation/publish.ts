import { randomBytes } from 'node:crypto';
import type { Revision, TokenEntry, TokenHash } from '@patchbay/contracts';
import type { Ports } from '@patchbay/ports';
import { manifestOf, partsOf } from './documents.ts';
import type { Member, Organisation } from './organisation.ts';
import type { Signer } from './signer.ts';

const TOKENS_AT_ONCE = 250;
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
    await ports.directory.putTokens(id, revision, await Promise.all(some.map((member) => tokenEntry(organisation, member, signer))));
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

/** A member's entry in the directory. */
export async function tokenEntry(
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

/**
 * Fills the directory up to `count` tokens. Nobody presents the further ones, so that nobody would verify them: they all hold one
 * member's entry, which is as long as their own would be and opens nothing under their hashes.
 */
export async function fillDirectory(
  organisation: Organisation,
  count: number,
  { ports, signer }: { ports: Ports; signer: Signer },
): Promise<void> {
  const [first] = organisation.members;
  if (first === undefined) throw new Error('an organisation without members has no token');
  const { jws } = await tokenEntry(organisation, first, signer);
  for (let left = count - organisation.members.length; left > 0; left -= TOKENS_AT_ONCE) {
    const some = Array.from({ length: Math.min(left, TOKENS_AT_ONCE) }, () => ({
      tokenHash: randomBytes(32).toString('hex') as TokenHash,
      jws,
    }));
    await writeTokens(organisation, some, ports);
  }
}

/** A store that is made to hold a million entries is late at times: writing is idempotent, so it is tried again. */
async function writeTokens(
  { id, revision }: Organisation,
  entries: readonly { readonly tokenHash: TokenHash; readonly jws: string }[],
  ports: Ports,
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await ports.directory.putTokens(id, revision as Revision, entries);
    } catch (error) {
      if (attempt === ATTEMPTS_MAX) throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}

const ATTEMPTS_MAX = 20;
const PAUSE_MS = 500;
