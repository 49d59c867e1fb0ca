import { z } from 'zod';
import { OrganisationId, OrganisationSlug, Revision, TokenHash, TokenId, UserId } from './ids.ts';

/** Directory entry of one personal access token: signed by the control plane, stamped with its revision. */
export const TokenEntry = z.object({
  organisationId: OrganisationId,
  tokenHash: TokenHash,
  tokenId: TokenId,
  userId: UserId,
  expiresAtMs: z.number().int().nullable(),
  /** The organisation's revision at which this was true. */
  revision: Revision,
  /** A revoked token keeps an entry until it would have expired, so that "known to be bad" can be said (401, not 503). */
  revoked: z.boolean(),
});
export type TokenEntry = z.infer<typeof TokenEntry>;

/** Directory entry that turns an organisation's slug into its id. */
export const OrganisationEntry = z.object({ organisationId: OrganisationId, slug: OrganisationSlug });
export type OrganisationEntry = z.infer<typeof OrganisationEntry>;

/** Who a call is from, as the gateway's later steps see it. */
export type Principal = {
  readonly organisationId: OrganisationId;
  readonly userId: UserId;
  readonly tokenId: TokenId;
  /** Subjects that grants may name: `user:{id}` and `everyone`; teams join later. */
  readonly subjects: readonly string[];
};
