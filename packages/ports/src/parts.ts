import type { OrganisationId, PartHash, Revision } from '@patchbay/contracts';

/** The order of manifests: epoch, then revision. */
export type ManifestPosition = { readonly epoch: number; readonly revision: Revision };

/** Where published manifests and parts lie, so that a pod needs no control plane to boot. Writers: control planes only. */
export interface Parts {
  /** Idempotent; the bytes' SHA-256 is the hash (the caller's duty; readers verify). */
  putParts(organisationId: OrganisationId, parts: readonly { hash: PartHash; bytes: Buffer }[]): Promise<void>;
  /** Which of these hashes are not stored yet. */
  missing(organisationId: OrganisationId, hashes: readonly PartHash[]): Promise<PartHash[]>;
  getParts(organisationId: OrganisationId, hashes: readonly PartHash[]): Promise<Map<PartHash, Buffer>>;
  /** Never goes back: a manifest with a lower (epoch, revision) than the stored one is ignored. */
  putManifest(organisationId: OrganisationId, at: ManifestPosition, jws: string): Promise<void>;
  /** For one that cannot be ours: the next may stand before it. */
  removeManifest(organisationId: OrganisationId): Promise<void>;
  getManifest(organisationId: OrganisationId): Promise<string | null>;
  /** Where the stored manifests stand; who has none is left out. A store that lost data stands behind the database of truth. */
  getPositions(organisationIds: readonly OrganisationId[]): Promise<Map<OrganisationId, ManifestPosition>>;
  /** Removes parts that none of `keep` names and that are older than `olderThanMs`. */
  collectGarbage(organisationId: OrganisationId, keep: readonly PartHash[], olderThanMs: number): Promise<number>;
}
