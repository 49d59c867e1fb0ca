import type { DirectoryAnswer, OrganisationId, Revision, TokenHash } from '@patchbay/contracts';

/** `expiresAtMs`: when the token ends by itself, after which nobody needs the entry; left away, the entry stays. */
export type NewTokenEntry = { readonly tokenHash: TokenHash; readonly jws: string; readonly expiresAtMs?: number };

/** What is many and per person. Entries are signed by the control plane (JWS) and written through by it alone. */
export interface Directory {
  /**
   * Writes entries and raises the organisation's directory revision to `revision`, atomically. Never goes back: an entry
   * whose stored revision is higher stays as it is.
   */
  putTokens(organisationId: OrganisationId, revision: Revision, entries: readonly NewTokenEntry[]): Promise<void>;
  /** The entry and the directory's revision at the moment of reading. `entry: null` means "not here", never "not valid". */
  getToken(organisationId: OrganisationId, tokenHash: TokenHash): Promise<DirectoryAnswer>;
  /** After it no entry of a token that had expired is left, in any organisation; how many it removed itself. The directory's revisions stay. */
  removeExpiredTokens(): Promise<number>;
  putOrganisation(slug: string, jws: string): Promise<void>;
  getOrganisation(slug: string): Promise<string | null>;
}
