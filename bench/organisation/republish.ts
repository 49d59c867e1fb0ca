import type { Revision } from '@patchbay/contracts';
import type { Ports } from '@patchbay/ports';
import { grantShards, manifestOf, partsOf } from './documents.ts';
import { type Member, type Organisation, type Server, userGrant } from './organisation.ts';
import type { Signer } from './signer.ts';

/** A tool of a server for a member. */
export type Granted = { readonly member: Member; readonly server: Server; readonly tool: string };

/**
 * Publishes an organisation again and again, as it was founded but for some grants more: only the parts that changed are written, as by
 * a control plane. Each resolves with the moment at which the revision was announced.
 */
export function makeRepublisher(
  organisation: Organisation,
  { ports, signer }: { readonly ports: Ports; readonly signer: Signer },
): (granted: readonly Granted[]) => Promise<number> {
  const unchanged = partsOf(organisation).filter(({ row }) => row.kind !== 'grants');
  return async (granted) => {
    const more = granted.map(({ member, server, tool }) => userGrant(member, server, tool));
    organisation.revision += 1;
    const revision = organisation.revision as Revision;
    const shards = grantShards({ ...organisation, grants: [...organisation.grants, ...more] });
    const { id } = organisation;
    await ports.parts.putParts(
      id,
      shards.map(({ bytes, row }) => ({ hash: row.hash, bytes })),
    );
    await ports.parts.putManifest(
      id,
      { epoch: 1, revision },
      await signer.sign('manifest', manifestOf(organisation, [...unchanged, ...shards])),
    );
    const announcement = await signer.sign('announcement', { organisationId: id, epoch: 1, revision, invalidations: [] });
    const announcedAt = performance.now();
    await ports.bus.publish('revisions', announcement);
    return announcedAt;
  };
}
