import type { PartHash, Revision } from '@patchbay/contracts';
import type { Ports } from '@patchbay/ports';
import type { FakeOrganisation, Fleet } from '../../src/snapshot/state.fixture.ts';

/** The control plane's side of the stores, for organisations of a fleet. */
export function publishTo(writer: Ports, fleet: Fleet) {
  /** Writes the present revision, again if need be. */
  async function store(organisation: FakeOrganisation): Promise<void> {
    const { id, slug, epoch } = organisation;
    const revision = organisation.revision as Revision;
    const { manifests, parts, tokens, organisations } = fleet.stored;
    await writer.directory.putOrganisation(slug, organisations.get(slug) ?? '');
    const entries = [...organisation.tokens.keys()].map((tokenHash) => ({ tokenHash, jws: tokens.get(tokenHash) ?? '' }));
    await writer.directory.putTokens(id, revision, entries);
    await writer.parts.putParts(
      id,
      [...parts].map(([hash, bytes]) => ({ hash: hash as PartHash, bytes })),
    );
    await writer.parts.putManifest(id, { epoch, revision }, manifests.get(id) ?? '');
  }

  /** As pods hear of it. */
  async function announcement({ id: organisationId, epoch, revision, invalidations }: FakeOrganisation): Promise<string> {
    return fleet.sign('announcement', { organisationId, epoch, revision, invalidations });
  }

  return {
    store,
    announcement,
    /** One more revision, through the stores and the bus; the moment at which it was announced. */
    async publish(organisation: FakeOrganisation): Promise<number> {
      await fleet.publish(organisation, { announce: false });
      await store(organisation);
      await writer.bus.publish('revisions', await announcement(organisation));
      return performance.now();
    },
  };
}
