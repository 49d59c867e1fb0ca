import { z } from 'zod';
import { ClientProfile } from './directory.ts';
import { GrantId, OrganisationId, OrganisationSlug, Revision, ServerId, ServerSlug, TokenHash, UserId } from './ids.ts';
import { text } from './text.ts';

/** `typ` headers of what the control plane signs (JWS compact, EdDSA): one document can never pass for another. */
export const SIGNED_TYPES = {
  manifest: 'patchbay-manifest+jws',
  announcement: 'patchbay-announcement+jws',
  tokenEntry: 'patchbay-token+jws',
  organisationEntry: 'patchbay-organisation+jws',
} as const;

/** SHA-256 of a part's bytes, lower-case hex. */
export const PartHash = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .brand<'PartHash'>();
export type PartHash = z.infer<typeof PartHash>;

export const PartKind = z.enum(['organisation', 'server', 'catalogue', 'grants', 'limits', 'revocations']);
export type PartKind = z.infer<typeof PartKind>;

/** What a reader of this version can do with a manifest beyond its first form. A manifest may demand some of it by name. */
export const MANIFEST_FEATURES: readonly string[] = ['limits', 'revocations', 'sampling', 'per-credential'];

/** What a pod must forget, whatever it has cached. Rides on the organisation's revision. */
export const Invalidation = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('token'), revision: Revision, tokenHash: TokenHash }),
  z.object({ kind: z.literal('user'), revision: Revision, userId: UserId }),
  z.object({ kind: z.literal('credential'), revision: Revision, serverId: ServerId }),
]);
export type Invalidation = z.infer<typeof Invalidation>;

/**
 * The signed table of contents of one revision of one organisation. Parts are fetched by hash.
 * A pod refuses a manifest whose (epoch, revision) is below the highest it has persisted.
 */
export const Manifest = z.object({
  format: z.literal(1),
  organisationId: OrganisationId,
  organisationSlug: OrganisationSlug,
  epoch: z.number().int().positive(),
  revision: Revision,
  issuedAtMs: z.number().int(),
  /**
   * Features without which this manifest would be enforced wrongly: a reader that lacks one refuses it and keeps its last good
   * state. A part of a kind that a reader does not know, and that no feature demands, is left alone.
   */
  needs: z.array(z.string()).default([]),
  parts: z.array(z.object({ kind: z.string(), key: z.string(), hash: PartHash, bytes: z.number().int().nonnegative() })),
  /** Those of the last ten minutes, oldest first. */
  invalidations: z.array(Invalidation),
});
export type Manifest = z.infer<typeof Manifest>;

/** What the bus carries: a hint that a revision exists, with invalidations that may not wait for a compile. Under 8 kB. */
export const Announcement = z.object({
  organisationId: OrganisationId,
  epoch: z.number().int().positive(),
  revision: Revision,
  invalidations: z.array(Invalidation),
  /** False: it comes before the revision's manifest, and will be followed by another when that stands in the store. */
  published: z.boolean().default(true),
});
export type Announcement = z.infer<typeof Announcement>;

/** A destination outside the public internet that an operator opened for one organisation (security.md §7). */
export const EgressOpening = z.object({ cidr: z.string(), port: z.number().int().min(1).max(65535).nullable() });
export type EgressOpening = z.infer<typeof EgressOpening>;

/** Of the clients that an endpoint is for. Members that a reader does not know narrow nothing that it may do. */
const EndpointProfile = z.object(ClientProfile.shape);

/** Part `organisation`: settings of the whole organisation. */
export const OrganisationPart = z.object({
  format: z.literal(1),
  organisationId: OrganisationId,
  slug: OrganisationSlug,
  egressOpenings: z.array(EgressOpening),
  /** Of the aggregated endpoint; left out where its clients take anything. */
  clientProfile: EndpointProfile.optional(),
  /** Whose pages may use its endpoints, as browsers write it; left out where nobody else's may. */
  allowedOrigins: z.array(z.string()).optional(),
});
export type OrganisationPart = z.infer<typeof OrganisationPart>;

export const ServerKind = z.enum(['streamable-http', 'stdio']);
export type ServerKind = z.infer<typeof ServerKind>;

/** Where a stdio server may connect to: `host:port`, the host as its program writes it (a name or an IPv4 address). */
export const EgressTarget = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?:[0-9]{1,5}$/, 'must be host:port in lower case')
  .refine((target) => Number(target.split(':')[1]) >= 1 && Number(target.split(':')[1]) <= 65_535, 'the port must be 1 to 65535');
export type EgressTarget = z.infer<typeof EgressTarget>;

/** Who shares a process of a stdio server: nobody, the sessions of one principal, or all of the organisation. */
export const Isolation = z.enum(['session', 'principal', 'shared']);
export type Isolation = z.infer<typeof Isolation>;

/**
 * `shared`: discovered once and the same for everybody. `per-credential`: asked with the credential of each caller, and what discovery found is a
 * reference. `live`: each caller's own session is asked, for a server that changes its lists for one session only.
 */
export const CatalogueMode = z.enum(['shared', 'per-credential', 'live']);
export type CatalogueMode = z.infer<typeof CatalogueMode>;

/** Whether a server may ask its clients for completions, which spends their money; `refused`: nobody is asked. */
export const Sampling = z.enum(['relayed', 'refused']);
export type Sampling = z.infer<typeof Sampling>;

export const ServerTimeouts = z.object({
  /** Until the TCP (and TLS) connection stands. */
  connectMs: z.number().int().min(100).max(60_000),
  /** From sending a request to the end of its response. */
  requestMs: z.number().int().min(100).max(600_000),
});
export type ServerTimeouts = z.infer<typeof ServerTimeouts>;

/** Part `server`, key = server id: how to reach one server. Holds no secret. */
export const ServerPart = z.object({
  format: z.literal(1),
  id: ServerId,
  slug: ServerSlug,
  kind: ServerKind,
  /** null for `stdio`: the pod knows its stdio host. */
  url: z.string().nullable(),
  isolation: Isolation,
  timeouts: ServerTimeouts,
  /** Changes with anything that changes the connection: url, command, args, env, headers, isolation. */
  generation: z.string(),
  /** Whether header values must be asked of the control plane before dialling (by server id and generation). */
  hasCredential: z.boolean(),
  /** Which bare tool and prompt names this server held first in the organisation (architecture.md §3). */
  bareTools: z.array(z.string()),
  barePrompts: z.array(z.string()),
  /** Left out where it is `shared`. */
  catalogueMode: CatalogueMode.default('shared'),
  /** Left out where it is `relayed`; a manifest with one that is `refused` needs a reader that knows `sampling`. */
  sampling: Sampling.default('relayed'),
  /** When the server last told what it offers, if asking it has failed since; left out while it answers. ISO 8601. */
  silentSince: z.string().nullable().default(null),
  /** Of the server's own endpoint; left out where its clients take anything. */
  clientProfile: EndpointProfile.optional(),
});
export type ServerPart = z.output<typeof ServerPart>;

export const CatalogueEntryKind = z.enum(['tool', 'prompt', 'resource', 'template']);
export type CatalogueEntryKind = z.infer<typeof CatalogueEntryKind>;

/**
 * Part `catalogue`, key = server id. Bytes on the wire: this header as one line of JSON, `\n`, then the
 * upstream's own definitions end to end, found by offset (counted from after the newline) and length.
 */
export const CataloguePartHeader = z.object({
  format: z.literal(1),
  serverId: ServerId,
  era: z.enum(['legacy', 'modern']),
  /** What discovery negotiated, e.g. `2025-11-25`. */
  protocolVersion: z.string(),
  /** The upstream's own objects, as it sent them. */
  serverInfo: z.record(z.string(), z.unknown()),
  capabilities: z.record(z.string(), z.unknown()),
  instructions: z.string().nullable(),
  /** What of the server's own lists was left out and why, in words; left out when nothing was. */
  leftOut: z.string().nullable().default(null),
  /** For how long the server lets each of its lists be kept, by kind; left out by servers that do not say. */
  ttlMs: z.partialRecord(CatalogueEntryKind, z.number().int().nonnegative()).default({}),
  entries: z.array(
    z.object({
      kind: CatalogueEntryKind,
      /** Tool or prompt name; resource URI; template string. */
      name: z.string(),
      offset: z.number().int().nonnegative(),
      length: z.number().int().positive(),
      contractHash: z.string(),
      /**
       * Sets of client capabilities, each of which suffices for the server to offer the entry (`elicitation.form`, `elicitation.url`, `roots`,
       * `sampling`); left out when it offers it to everybody.
       */
      needs: z.array(z.array(z.string())).default([]),
    }),
  ),
});
export type CataloguePartHeader = z.infer<typeof CataloguePartHeader>;

export const GrantSubject = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('user'), userId: UserId }),
  z.strictObject({ kind: z.literal('everyone') }),
]);
export type GrantSubject = z.infer<typeof GrantSubject>;

/** `all`: every tool, prompt and resource, those to come included. `names`: these tools and nothing else. */
export const GrantedTools = z.discriminatedUnion('mode', [
  z.strictObject({ mode: z.literal('all') }),
  z.strictObject({ mode: z.literal('names'), names: z.array(text.min(1).max(256)).min(1).max(2000) }),
]);
export type GrantedTools = z.infer<typeof GrantedTools>;

/** Part `grants`, key = shard number (by server id): who may use what. */
export const GrantsPart = z.object({
  format: z.literal(1),
  grants: z.array(z.object({ id: GrantId, subject: GrantSubject, serverId: ServerId, tools: GrantedTools })),
});
export type GrantsPart = z.infer<typeof GrantsPart>;

/** How much of a token's hash a part `revocations` keeps: 128 bits, which no other token shares. */
export const REVOKED_HASH_LENGTH = 32;

/**
 * Part `revocations`, key = first digit of the hashes in it: every token that was revoked and has not expired. No directory entry
 * outranks it, however genuine: a store may be made to repeat one of before the revocation.
 */
export const RevocationsPart = z.object({
  format: z.literal(1),
  /** Beginnings of token hashes, ascending. */
  tokens: z.array(z.string().regex(/^[0-9a-f]{32}$/)),
});
export type RevocationsPart = z.infer<typeof RevocationsPart>;
