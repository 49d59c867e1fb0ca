import { z } from 'zod';
import { OrganisationId, OrganisationSlug, Revision, TokenHash, TokenId, UserId } from './ids.ts';

/** What a client can take of a list; what is not said has no bound. It would reject the rest, some clients the whole list with it. */
export const ClientProfile = z.strictObject({
  /** Characters of a tool's or prompt's name. */
  nameLengthMax: z.number().int().min(1).max(256).optional(),
  /** What names may hold besides letters and digits. */
  namePunctuation: z
    .string()
    .max(4)
    .regex(/^[-._/]*$/, { error: 'may hold - . _ and /' })
    .optional(),
  /** Tools in all. */
  toolsMax: z.number().int().min(1).max(10_000).optional(),
});
export type ClientProfile = z.infer<typeof ClientProfile>;

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
  /** Left out of the token of a client that takes anything. */
  clientProfile: ClientProfile.optional(),
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
  /** Absent: its client takes anything. */
  readonly clientProfile?: ClientProfile;
};
