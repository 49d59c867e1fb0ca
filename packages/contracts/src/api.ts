import { z } from 'zod';
import { ClientProfile } from './directory.ts';
import { GrantId, OrganisationSlug, ServerId, ServerSlug, TokenId, UserId } from './ids.ts';
import { CatalogueMode, EgressTarget, GrantSubject, GrantedTools, Isolation, Sampling, ServerTimeouts } from './snapshot.ts';
import { text } from './text.ts';

/** RFC 9457 problem document. `code` is stable; `errors` points at fields (JSON Pointer) of the request's body. */
export const Problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  detail: z.string(),
  code: z.string(),
  errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).optional(),
});
export type Problem = z.infer<typeof Problem>;

export const Role = z.enum(['owner', 'admin', 'member', 'auditor']);
export type Role = z.infer<typeof Role>;

const password = z.string().min(12).max(256);

export const SessionInput = z.strictObject({
  organisation: OrganisationSlug.default('default' as OrganisationSlug),
  email: z.email().max(254),
  password: z.string().min(1).max(256),
});
export type SessionInput = z.infer<typeof SessionInput>;

export const Session = z.object({
  organisation: OrganisationSlug,
  user: z.object({ id: UserId, email: z.string(), role: Role, operator: z.boolean() }),
  expiresAt: z.iso.datetime(),
});
export type Session = z.infer<typeof Session>;

export const OrganisationInput = z.strictObject({
  slug: OrganisationSlug,
  name: text.min(1).max(120),
  owner: z.strictObject({ email: z.email().max(254), password }),
});
export type OrganisationInput = z.infer<typeof OrganisationInput>;

export const Organisation = z.object({ slug: OrganisationSlug, name: z.string(), createdAt: z.iso.datetime() });
export type Organisation = z.infer<typeof Organisation>;

/** Headers that Patchbay says of itself to an upstream, by lower-case name: a registered one would never be sent. */
export const OWN_HEADERS =
  /^(?:accept|accept-encoding|connection|content-.*|expect|host|keep-alive|last-event-id|mcp-.*|origin|proxy-connection|te|trailer|transfer-encoding|upgrade|user-agent)$/;

const headerName = z
  .string()
  .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/, { error: 'is not an HTTP header name' })
  .refine((name) => !OWN_HEADERS.test(name.toLowerCase()), { error: 'is set by Patchbay itself' });
const secretValue = text.max(8192);
const headerValue = secretValue.regex(/^[\t\x20-\x7e]*$/, { error: 'must be visible ASCII' });
const envName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, { error: 'is not an environment variable name' });
/** Header or env values of one server. */
export const VALUES_MAX = 64;

/** Write-only values by name. In a change: a name left out keeps its value, null removes it. */
function values<Value extends z.ZodType>(
  name: z.ZodString,
  value: Value,
  same: (name: string) => string = (each) => each,
): z.ZodRecord<z.ZodString, Value> {
  return z
    .record(name, value)
    .refine((given) => Object.keys(given).length <= VALUES_MAX, { error: `has more than ${VALUES_MAX} names` })
    .refine((given) => new Set(Object.keys(given).map(same)).size === Object.keys(given).length, {
      error: 'names one value twice: upper and lower case are the same',
    });
}

const lowerCase = (name: string): string => name.toLowerCase();
const envInput = values(envName, secretValue);
const headersInput = values(headerName, headerValue, lowerCase);

const httpUrl = plainUrl(/^https?$/, 'must be an http or https URL');
const socketUrl = plainUrl(/^wss?$/, 'must be a ws or wss URL');

function plainUrl(protocol: RegExp, error: string): z.ZodURL {
  return z
    .url({ protocol, error })
    .max(2048)
    .refine(
      (value) => {
        try {
          const url = new URL(value);
          return url.username === '' && url.password === '' && url.hash === '';
        } catch {
          return false;
        }
      },
      { error: 'must have neither credentials nor a fragment: put credentials into headers' },
    )
    .refine((value) => !/[\\\s]/.test(value), {
      error: 'must have neither backslashes nor white space: it would not go where it seems to',
    });
}

const common = {
  description: text.max(2000).default(''),
  tags: z.array(text.min(1).max(64)).max(32).default([]),
  timeouts: ServerTimeouts.partial().default({}),
  catalogueMode: CatalogueMode.default('shared'),
  sampling: Sampling.default('relayed'),
  /** Of the clients that the server's own endpoint is for. */
  clientProfile: ClientProfile.default({}),
};

export const DEFAULT_TIMEOUTS = { connectMs: 5_000, requestMs: 60_000 } as const satisfies ServerTimeouts;

/** What a stdio host runs or connects to has one credential, and it is the host's. */
const onHost = { ...common, catalogueMode: CatalogueMode.exclude(['per-credential']).default('shared') };

/** A server on one connection: each session, principal or all sessions have one, as `isolation` says. */
const connected = { slug: ServerSlug, ...onHost, headers: headersInput.default({}), isolation: Isolation.default('session') };

export const ServerInput = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('streamable-http'), slug: ServerSlug, ...common, url: httpUrl, headers: headersInput.default({}) }),
  z.strictObject({ kind: z.literal('sse'), ...connected, url: httpUrl }),
  z.strictObject({ kind: z.literal('websocket'), ...connected, url: socketUrl }),
  z.strictObject({
    kind: z.literal('stdio'),
    slug: ServerSlug,
    ...onHost,
    command: text.min(1).max(4096),
    args: z.array(text.max(4096)).max(128).default([]),
    env: envInput.default({}),
    isolation: Isolation.default('session'),
    egress: z.array(EgressTarget).max(64).default([]),
  }),
]);
export type ServerInput = z.infer<typeof ServerInput>;

/** PATCH: what is left out stays; `kind` and `slug` do not change; null removes one secret value. */
export const ServerChange = z.strictObject({
  description: text.max(2000).optional(),
  tags: z.array(text.min(1).max(64)).max(32).optional(),
  timeouts: ServerTimeouts.partial().optional(),
  catalogueMode: CatalogueMode.optional(),
  sampling: Sampling.optional(),
  /** As a whole: a member left out has no bound. */
  clientProfile: ClientProfile.optional(),
  url: z.union([httpUrl, socketUrl]).optional(),
  headers: values(headerName, headerValue.nullable(), lowerCase).optional(),
  command: text.min(1).max(4096).optional(),
  args: z.array(text.max(4096)).max(128).optional(),
  env: values(envName, secretValue.nullable()).optional(),
  isolation: Isolation.optional(),
  egress: z.array(EgressTarget).max(64).optional(),
});
export type ServerChange = z.infer<typeof ServerChange>;

const serverView = {
  id: ServerId,
  slug: ServerSlug,
  description: z.string(),
  tags: z.array(z.string()),
  timeouts: ServerTimeouts,
  catalogueMode: CatalogueMode,
  sampling: Sampling,
  clientProfile: ClientProfile,
  /** The endpoint on the gateway. */
  mcpUrl: z.string(),
  /** `pending` until discovery has run for the present registration; `unreachable` says why in `statusDetail`. */
  status: z.enum(['pending', 'ready', 'unreachable']),
  statusDetail: z.string().nullable(),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
};
/** Secret values are shown as this mask. */
export const MASK = '••••••••';
const connectedView = { ...serverView, url: z.string(), headers: z.record(z.string(), z.string()), isolation: Isolation };
export const Server = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('sse'), ...connectedView }),
  z.object({ kind: z.literal('websocket'), ...connectedView }),
  z.object({ kind: z.literal('streamable-http'), ...serverView, url: z.string(), headers: z.record(z.string(), z.string()) }),
  z.object({
    kind: z.literal('stdio'),
    ...serverView,
    command: z.string(),
    args: z.array(z.string()),
    env: z.record(z.string(), z.string()),
    isolation: Isolation,
    egress: z.array(z.string()),
  }),
]);
export type Server = z.infer<typeof Server>;

/** What runs of a stdio server now, on all hosts, and how it last failed. Texts of the server are escaped and its secrets masked. */
export const ServerProcesses = z.object({
  /** Hosts that did not answer: what they run is not in it. */
  silentHosts: z.number().int(),
  processes: z.array(
    z.object({
      state: z.enum(['starting', 'ready', 'stopping']),
      isolation: Isolation,
      /** Of the present registration; false: it finishes what it does and ends. */
      current: z.boolean(),
      sessions: z.number().int(),
      startedAt: z.iso.datetime(),
      lastUsedAt: z.iso.datetime(),
      stderrTail: z.array(z.string()),
    }),
  ),
  /** It failed within the last minutes and is not started again before `retryAt`. */
  failing: z.array(
    z.object({
      during: z.enum(['starting', 'ready']),
      how: z.string(),
      failures: z.number().int(),
      retryAt: z.iso.datetime(),
      stderrTail: z.array(z.string()),
    }),
  ),
});
export type ServerProcesses = z.infer<typeof ServerProcesses>;

const catalogueEntry = z.object({
  name: z.string(),
  contractHash: z.string(),
  /** Sets of client capabilities, each of which suffices for the server to offer it; empty: it offers it to everybody. */
  needs: z.array(z.array(z.string())),
  definition: z.unknown(),
});
const entries = z.object({
  tools: z.array(catalogueEntry),
  prompts: z.array(catalogueEntry),
  resources: z.array(catalogueEntry),
  resourceTemplates: z.array(catalogueEntry),
});
/** What discovery found. `observed` is what the server said last; `accepted` is what the gateway serves. */
export const Catalogue = z.object({
  era: z.enum(['legacy', 'modern']).nullable(),
  /** When the server was last asked which era it is of; asked again after a day, and when an answer contradicts it. */
  eraProbedAt: z.iso.datetime().nullable(),
  protocolVersion: z.string().nullable(),
  serverInfo: z.record(z.string(), z.unknown()).nullable(),
  capabilities: z.record(z.string(), z.unknown()).nullable(),
  instructions: z.string().nullable(),
  discoveredAt: z.iso.datetime().nullable(),
  attemptedAt: z.iso.datetime().nullable(),
  /** Why the last attempt failed, in words; null when it did not. */
  error: z.string().nullable(),
  observed: entries,
  accepted: entries,
});
export type Catalogue = z.infer<typeof Catalogue>;

export const GrantInput = z.strictObject({ subject: GrantSubject, server: ServerSlug, tools: GrantedTools });
export type GrantInput = z.infer<typeof GrantInput>;
export const Grant = z.object({ id: GrantId, subject: GrantSubject, server: ServerSlug, tools: GrantedTools, createdAt: z.iso.datetime() });
export type Grant = z.infer<typeof Grant>;

export const TokenInput = z.strictObject({
  name: text.min(1).max(120),
  /** Days from now; at most 365. */
  expiresInDays: z.number().int().min(1).max(365).default(30),
  /** Of the client that it is for. */
  clientProfile: ClientProfile.default({}),
});
export type TokenInput = z.infer<typeof TokenInput>;
export const Token = z.object({
  id: TokenId,
  /** Whose it is: a token acts as its user. */
  userId: UserId,
  name: z.string(),
  /** The token's first characters, enough to recognise it. */
  hint: z.string(),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  revokedAt: z.iso.datetime().nullable(),
  clientProfile: ClientProfile,
});
export type Token = z.infer<typeof Token>;
/** The answer to minting: the only time the token itself is shown. */
export const MintedToken = Token.extend({ token: z.string() });
export type MintedToken = z.infer<typeof MintedToken>;
