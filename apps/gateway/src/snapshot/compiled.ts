import type {
  CatalogueEntryKind,
  CatalogueMode,
  ClientProfile,
  Isolation,
  OrganisationId,
  Revision,
  ServerId,
  Sampling,
  ServerTimeouts,
} from '@patchbay/contracts';
import type { Era } from '@patchbay/mcp-wire';
import type { CompiledGrants } from '@patchbay/policy';
import type { CompiledLimits } from '../limits/compile-limits.ts';
import type { EgressOpening } from '@patchbay/contracts';

export type EntryKind = CatalogueEntryKind;

/** One accepted definition: the upstream's own bytes, kept as a view into the part. */
export type CompiledEntry = {
  readonly kind: EntryKind;
  /** Tool or prompt name, resource URI, template string: the upstream's own. */
  readonly name: string;
  readonly definition: Buffer;
  readonly contractHash: string;
  /** Sets of client capabilities, each of which suffices for the server to offer it; empty: it offers it to everybody. */
  readonly needs: readonly (readonly string[])[];
};

/** What discovery accepted for one server; null fields of a server that was never discovered are in `CompiledServer`. */
export type CompiledCatalogue = {
  readonly era: Era;
  readonly protocolVersion: string;
  readonly serverInfo: Readonly<Record<string, unknown>>;
  readonly capabilities: Readonly<Record<string, unknown>>;
  readonly instructions: string | null;
  /** What discovery left out of the server's own lists, in words. */
  readonly leftOut: string | null;
  /** For how long the server lets its lists be kept, by kind; what it does not speak of may not. */
  readonly ttlMs: Readonly<Partial<Record<EntryKind, number>>>;
  readonly tools: ReadonlyMap<string, CompiledEntry>;
  readonly prompts: ReadonlyMap<string, CompiledEntry>;
  readonly resources: ReadonlyMap<string, CompiledEntry>;
  readonly templates: ReadonlyMap<string, CompiledEntry>;
};

/** How to reach one server and what it offers. */
export type CompiledServer = {
  readonly id: ServerId;
  readonly slug: string;
  readonly kind: 'streamable-http' | 'stdio';
  /** null for stdio: dispatch knows the stdio hosts. */
  readonly url: URL | null;
  /** Of a stdio server: a process for each session, or one for all. */
  readonly isolation: Isolation;
  readonly timeouts: ServerTimeouts;
  readonly generation: string;
  readonly hasCredential: boolean;
  /** `live`: its lists are made for each caller's own session; `per-credential`: for each credential. */
  readonly catalogueMode: CatalogueMode;
  /** Whether it may ask its clients for completions. */
  readonly sampling: Sampling;
  /** Of its own endpoint. Absent: the clients that this is for take anything. */
  readonly clientProfile?: ClientProfile;
  /** When the server last told what it offers, if asking it has failed since. */
  readonly silentSince: string | null;
  /** null until discovery has succeeded once. */
  readonly catalogue: CompiledCatalogue | null;
  /** The catalogue is what the server told the caller's own credential; absent: what discovery found. */
  readonly isOfCredential?: true;
};

/** A server's entry under its name on the aggregated endpoint. */
export type ExposedEntry = { readonly server: CompiledServer; readonly entry: CompiledEntry; readonly exposedName: string };

/** Server capabilities as we declare them. */
export type Capabilities = Record<string, { listChanged?: true; subscribe?: true } | Readonly<Record<string, unknown>>>;

/** What an endpoint says of itself, whichever revision asks; with what is said in answers, as JSON, once somebody has asked. */
export type EndpointDescription = {
  readonly capabilities: Capabilities;
  readonly serverInfo: unknown;
  readonly instructions: string | null;
  /** The result of `server/discover`. */
  discovered: string | null;
  /** What follows the version in the result of `initialize`. */
  initialized: string | null;
};

/** A list as one set of permissions sees it, in order. */
export type ComposedList = {
  readonly entries: readonly ListedEntry[];
  /** What stands after the entries: the other members of the result, each with its comma before it. */
  readonly rest: string;
  /** The whole result where it fits one page. */
  readonly whole: Buffer | null;
};

/** `key`: the entry's own place in any list, whatever stands around it. */
export type ListedEntry = { readonly key: string /** At its endpoint. */; readonly name: string; readonly definition: Buffer };

/** One revision of one organisation as lookup tables. Immutable; swapped by pointer. */
export type CompiledSnapshot = {
  readonly organisationId: OrganisationId;
  readonly organisationSlug: string;
  readonly epoch: number;
  readonly revision: Revision;
  readonly issuedAtMs: number;
  readonly egressOpenings: readonly EgressOpening[];
  /** Of the aggregated endpoint; absent likewise. */
  readonly clientProfile?: ClientProfile;
  /** Whose pages may use its endpoints, as browsers write it; absent: nobody else's. */
  readonly allowedOrigins?: ReadonlySet<string>;
  readonly serversBySlug: ReadonlyMap<string, CompiledServer>;
  readonly serversById: ReadonlyMap<string, CompiledServer>;
  /** See `liveAmong`. */
  readonly liveServers: readonly CompiledServer[];
  readonly grants: CompiledGrants;
  /** null: nothing is limited. */
  readonly limits: CompiledLimits | null;
  /** Beginnings of the hashes of revoked tokens (`REVOKED_HASH_LENGTH`), whatever a directory says of them. */
  readonly revokedTokens: ReadonlySet<string>;
  /** Aggregated endpoint: exposed name → entry (architecture.md §3: exact lookup, names are never split). */
  readonly exposedTools: ReadonlyMap<string, ExposedEntry>;
  readonly exposedPrompts: ReadonlyMap<string, ExposedEntry>;
  /** Bare name → every server that offers it, the first holder first. */
  readonly bareTools: ReadonlyMap<string, readonly ExposedEntry[]>;
  readonly barePrompts: ReadonlyMap<string, readonly ExposedEntry[]>;
  /** Resource URI, as the servers write it → every server that lists it. */
  readonly resourceOwners: ReadonlyMap<string, readonly CompiledServer[]>;
  /** Template string, likewise. */
  readonly templateOwners: ReadonlyMap<string, readonly CompiledServer[]>;
  /** Composed lists by permission fingerprint; dies with the snapshot. */
  readonly listCache: Map<string, ComposedList>;
  /** Endpoints as one set of permissions sees them; likewise. */
  readonly descriptions: Map<string, EndpointDescription>;
};
