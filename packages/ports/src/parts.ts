import type { OrganisationId, PartHash, Revision } from '@patchbay/contracts';

/** The order of manifests: epoch, then revision. */
export type ManifestPosition = { readonly epoch: number; readonly revision: Revision };

/** A part as it is stored; the bytes' SHA-256 is the hash (the writer's duty; readers verify). */
export type StoredPart = { readonly hash: PartHash; readonly bytes: Buffer };

/** Where published manifests and parts lie, so that a pod needs no control plane to boot. Writers: control planes only. */
export interface Parts {
  /** Idempotent. */
  putParts(organisationId: OrganisationId, parts: readonly StoredPart[]): Promise<void>;
  /** Which of these hashes are not stored yet. */
  missing(organisationId: OrganisationId, hashes: readonly PartHash[]): Promise<PartHash[]>;
  getParts(organisationId: OrganisationId, hashes: readonly PartHash[]): Promise<Map<PartHash, Buffer>>;
  /**
   * Never goes back: false where one with a higher (epoch, revision) stands, which stays. `parts` are stored with it in one step: for small
   * ones, of which each would wait for the store's disk.
   */
  putManifest(organisationId: OrganisationId, at: ManifestPosition, jws: string, parts?: readonly StoredPart[]): Promise<boolean>;
  /** For one that cannot be ours: the next may stand before it. */
  removeManifest(organisationId: OrganisationId): Promise<void>;
  getManifest(organisationId: OrganisationId): Promise<string | null>;
  /** Where the stored manifests stand; who has none is left out. A store that lost data stands behind the database of truth. */
  getPositions(organisationIds: readonly OrganisationId[]): Promise<Map<OrganisationId, ManifestPosition>>;
  /** Removes parts that none of `keep` names and that are older than `olderThanMs`. */
  collectGarbage(organisationId: OrganisationId, keep: readonly PartHash[], olderThanMs: number): Promise<number>;
}
