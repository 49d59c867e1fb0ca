import { z } from 'zod';

/** Tenant id: the wall between organisations. Every key, query and message carries it. */
export const OrganisationId = z.uuid().brand<'OrganisationId'>();
export type OrganisationId = z.infer<typeof OrganisationId>;

export const UserId = z.uuid().brand<'UserId'>();
export type UserId = z.infer<typeof UserId>;

export const ServerId = z.uuid().brand<'ServerId'>();
export type ServerId = z.infer<typeof ServerId>;

export const GrantId = z.uuid().brand<'GrantId'>();
export type GrantId = z.infer<typeof GrantId>;

export const LimitId = z.uuid().brand<'LimitId'>();
export type LimitId = z.infer<typeof LimitId>;

export const TokenId = z.uuid().brand<'TokenId'>();
export type TokenId = z.infer<typeof TokenId>;

/** SHA-256 of a whole bearer token, lower-case hex: what the directory and the database know of it. */
export const TokenHash = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .brand<'TokenHash'>();
export type TokenHash = z.infer<typeof TokenHash>;

const slug = z.string().regex(/^[a-z][a-z0-9-]{0,30}$/, {
  error: 'must be 1 to 31 characters: a lower-case letter, then lower-case letters, digits or hyphens',
});

const RESERVED_ORGANISATION_SLUGS = ['api', 'oauth', 'connect'];
const RESERVED_SERVER_SLUGS = ['mcp', 'sse', 'ws', 'messages'];

/** First path segment of every gateway URL. */
export const OrganisationSlug = slug
  .refine((value) => !RESERVED_ORGANISATION_SLUGS.includes(value), { error: 'is reserved' })
  .brand<'OrganisationSlug'>();
export type OrganisationSlug = z.infer<typeof OrganisationSlug>;

/** Second path segment of a server's own endpoint; unique within its organisation. */
export const ServerSlug = slug.refine((value) => !RESERVED_SERVER_SLUGS.includes(value), { error: 'is reserved' }).brand<'ServerSlug'>();
export type ServerSlug = z.infer<typeof ServerSlug>;

/** Position in an organisation's single order of changes. Starts at 1; never reused within an epoch. */
export const Revision = z.number().int().nonnegative().brand<'Revision'>();
export type Revision = z.infer<typeof Revision>;
