import { z } from 'zod';
import { OrganisationId, OrganisationSlug, Revision, ServerId, TokenHash } from './ids.ts';
import { EgressOpening, EgressTarget, Isolation } from './snapshot.ts';

/**
 * What our own programs ask the control plane on its internal listener (never reachable by tenants).
 * Each request carries `Authorization: Bearer {secret of the asking program's kind}`.
 * Errors are problem documents; 404 means "known not to exist", anything else "cannot know".
 */
export const INTERNAL_PATHS = {
  /** GET → ControlPlaneVersion; 404 from a version that had no such question. Asked by gateways and stdio hosts. */
  version: '/internal/v1/version',
  /** GET → DirectoryAnswer with the organisation's entry (by slug; 404 unknown). Asked by gateways. */
  organisation: (slug: string) => `/internal/v1/organisations/${slug}`,
  /** GET → DirectoryAnswer. Asked by gateways when the directory has no entry. */
  token: (organisationId: string, tokenHash: string) => `/internal/v1/orgs/${organisationId}/tokens/${tokenHash}`,
  /** GET → Revisions: every organisation's position, compared by each pod every 10 s. Asked by gateways. */
  revisions: '/internal/v1/revisions',
  /** GET → text, the manifest's JWS; 404 when the organisation has none yet. Asked by gateways without a store. */
  manifest: (organisationId: string) => `/internal/v1/orgs/${organisationId}/manifest`,
  /** GET → the part's bytes. */
  part: (organisationId: string, hash: string) => `/internal/v1/orgs/${organisationId}/parts/${hash}`,
  /** POST PodMessages → 204. Sent by gateways before each comparison: a control plane that told a pod anything knows of it. */
  podReports: '/internal/v1/pods/reports',
  /** POST CredentialRequest → CredentialRelease. Asked by gateways. */
  credential: '/internal/v1/credentials/release',
  /** POST EraDoubt → 204: the server is asked anew which era it is of. Sent by gateways; 404 from a version that had no such question. */
  eraDoubts: '/internal/v1/era-doubts',
  /** GET ?generation= → LaunchSpec; 404 when the server or that generation is gone. Asked by stdio hosts only. */
  launch: (organisationId: string, serverId: string) => `/internal/v1/orgs/${organisationId}/servers/${serverId}/launch`,
} as const;

/** A signed directory entry with the revision at which it was read (null entry: known not to exist at that revision). */
export const DirectoryAnswer = z.object({
  entry: z.string().nullable(),
  revision: Revision,
  /** With an organisation's entry: the epoch that the revision belongs to. */
  epoch: z.number().int().positive().optional(),
});
export type DirectoryAnswer = z.infer<typeof DirectoryAnswer>;

export const Revisions = z.object({
  organisations: z.array(z.object({ organisationId: OrganisationId, slug: OrganisationSlug, epoch: z.number().int(), revision: Revision })),
});
export type Revisions = z.infer<typeof Revisions>;

/** Upstream header values are released only against a caller's token that is valid now and may use that server. */
export const CredentialRequest = z.strictObject({
  organisationId: OrganisationId,
  serverId: ServerId,
  generation: z.string(),
  tokenHash: TokenHash,
});
export type CredentialRequest = z.infer<typeof CredentialRequest>;

/** A server, in this generation, answered as one of the other era than it was found to be of. */
export const EraDoubt = z.strictObject({ organisationId: OrganisationId, serverId: ServerId, generation: z.string() });
export type EraDoubt = z.infer<typeof EraDoubt>;

export const CredentialRelease = z.object({ headers: z.record(z.string(), z.string()) });
export type CredentialRelease = z.infer<typeof CredentialRelease>;

/** A server that a stdio host connects to: the transports that live on one connection (docs/decisions/0009). */
export const Dial = z.object({
  transport: z.enum(['sse', 'websocket']),
  url: z.string(),
  /** Its credential; lower-case names. */
  headers: z.record(z.string(), z.string()),
  connectMs: z.number().int(),
});

/** All that a stdio host needs to run one server. Goes to stdio hosts alone; kept in memory, never on disk. */
export const LaunchSpec = z.object({
  generation: z.string(),
  slug: z.string(),
  command: z.string(),
  args: z.array(z.string()),
  env: z.record(z.string(), z.string()),
  isolation: Isolation,
  /** Where it is to be connected to in place of being started: `command`, `args` and `env` are empty then. */
  dial: Dial.nullable().default(null),
  /** All that it may reach, and which private ranges its organisation may (where the host can isolate). */
  egress: z.object({ targets: z.array(EgressTarget), openings: z.array(EgressOpening) }).default({ targets: [], openings: [] }),
});
export type LaunchSpec = z.infer<typeof LaunchSpec>;

/**
 * The stdio host's own surface: each stdio server is a streamable-HTTP (legacy revisions) upstream at this path,
 * reachable with `Authorization: Bearer {to-stdio-host secret}`; `Patchbay-Generation` names the ServerPart.generation to run.
 */
export const STDIO_HOST = {
  path: (organisationId: string, serverId: string) => `/orgs/${organisationId}/servers/${serverId}/mcp`,
  generationHeader: 'patchbay-generation',
  /** Whose session an `initialize` opens, where the isolation is `principal`: opaque to the host. Without it, the control plane's. */
  principalHeader: 'patchbay-principal',
  /**
   * What the hosts' order is hashed by, together with their URLs: alike in every program. `owner` tells the sessions of a server
   * apart that has a process for each.
   */
  placementKey: (organisationId: string, serverId: string, owner = '') => `${organisationId}/${serverId}/${owner}`,
  /** On the control plane's `initialize`: the session reads lists, is no use of the server, and what the server tells in it is no news. */
  discoveryHeader: 'patchbay-discovery',
  /** GET, same secret: an event stream of StdioListChange, numbered; with `Last-Event-ID` what came after that event. */
  listChangesPath: '/list-changes',
  /** GET, same secret: what runs now → StdioHostStatus; `?server=` (an id) asks for the processes of one server alone. */
  statusPath: '/status',
} as const;

/** A process of this stdio server has said that a list of its changed. */
export const StdioListChange = z.object({ organisationId: OrganisationId, serverId: ServerId });
export type StdioListChange = z.infer<typeof StdioListChange>;

/** What one process may use with all that it starts; `kernel`: cannot be exceeded, `watched`: who exceeds it is ended. */
export const StdioLimits = z.object({
  memoryBytes: z.number(),
  diskBytes: z.number(),
  tasksMax: z.number().int(),
  openFilesMax: z.number().int(),
  cpus: z.number(),
  heldBy: z.enum(['kernel', 'watched']),
});
export type StdioLimits = z.infer<typeof StdioLimits>;

/** A server that failed within the last minutes; it is not started again before its time. */
export const FailingStdioServer = z.object({
  organisationId: z.string(),
  serverId: z.string(),
  slug: z.string(),
  generation: z.string(),
  during: z.enum(['starting', 'ready']),
  how: z.string(),
  failures: z.number().int(),
  retryAtMs: z.number(),
  stderrTail: z.array(z.string()),
});
export type FailingStdioServer = z.infer<typeof FailingStdioServer>;

export const StdioHostStatus = z.object({
  isolation: z.object({ available: z.boolean(), missing: z.array(z.string()) }),
  processesMax: z.number().int(),
  /** Of hosts that know them. */
  limits: StdioLimits.optional(),
  failing: z.array(FailingStdioServer).optional(),
  processes: z.array(
    z.object({
      organisationId: z.string(),
      serverId: z.string(),
      slug: z.string(),
      generation: z.string(),
      pid: z.number().int(),
      isolation: Isolation,
      state: z.enum(['starting', 'ready', 'stopping']),
      sessions: z.number().int(),
      startedAtMs: z.number(),
      lastUsedAtMs: z.number(),
      stderrTail: z.array(z.string()),
      /** Lines on its stdout that were not JSON-RPC; they are kept in the tail, after `stdout: `. */
      strayLines: z.number().int(),
    }),
  ),
});
export type StdioHostStatus = z.infer<typeof StdioHostStatus>;
