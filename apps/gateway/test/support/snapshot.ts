import { randomUUID } from 'node:crypto';
import {
  type CatalogueMode,
  type ClientProfile,
  GrantId,
  type Isolation,
  type LimitsPart,
  OrganisationId,
  Revision,
  ServerId,
} from '@patchbay/contracts';
import { type Era, LEGACY_VERSIONS } from '@patchbay/mcp-wire';
import { compileGrants } from '@patchbay/policy';
import { compileLimits } from '../../src/limits/compile-limits.ts';
import { liveAmong } from '../../src/snapshot/compile.ts';
import { nameTables } from '../../src/snapshot/name-tables.ts';
import type { CompiledCatalogue, CompiledEntry, CompiledServer, CompiledSnapshot, EntryKind } from '../../src/snapshot/compiled.ts';

/** The one that all gateways of a test serve. */
export const ORGANISATION = OrganisationId.parse(randomUUID());
const OPENINGS = [{ cidr: '127.0.0.0/8', port: null }];

/** What a test says of a server; the gateway under test is given the catalogue as discovery would have accepted it. */
export type ServerSpec = {
  /** Where two gateways of a test must mean the same server. */
  readonly id?: string;
  readonly slug: string;
  /** null: a stdio server. */
  readonly url: string | null;
  readonly era: Era;
  readonly tools: readonly string[];
  readonly prompts?: readonly string[];
  /** URIs. */
  readonly resources?: readonly string[];
  readonly templates?: readonly string[];
  readonly definitions?: Readonly<Record<string, string>>;
  readonly instructions?: string;
  readonly capabilities?: Readonly<Record<string, unknown>>;
  /** By name, sets of client capabilities that suffice to be offered it. */
  readonly needs?: Readonly<Record<string, string[][]>>;
  /** Tools that everyone may use, and nothing else of it; without: everything. */
  readonly grantedTools?: string[];
  readonly catalogueMode?: CatalogueMode;
  readonly sampling?: 'relayed' | 'refused';
  readonly isDiscovered?: boolean;
  readonly silentSince?: string;
  readonly leftOut?: string;
  readonly ttlMs?: CompiledCatalogue['ttlMs'];
  readonly requestMs?: number;
  readonly hasCredential?: boolean;
  readonly generation?: string;
  readonly isolation?: Isolation;
  readonly clientProfile?: ClientProfile;
};

/** A snapshot in which everyone may use everything. `clientProfile`: of the aggregated endpoint. */
export function snapshotOf(
  specs: readonly ServerSpec[],
  limits: LimitsPart['limits'],
  clientProfile: ClientProfile = {},
): CompiledSnapshot {
  const servers = specs.map(serverOf);
  const grants = servers.map(({ id, slug }) => {
    const names = specs.find((spec) => spec.slug === slug)?.grantedTools;
    return {
      id: GrantId.parse(randomUUID()),
      subject: { kind: 'everyone' as const },
      serverId: id,
      tools: names === undefined ? { mode: 'all' as const } : { mode: 'names' as const, names },
    };
  });
  return {
    organisationId: ORGANISATION,
    organisationSlug: 'acme',
    epoch: 1,
    revision: Revision.parse(1),
    issuedAtMs: Date.now(),
    egressOpenings: OPENINGS,
    clientProfile,
    serversBySlug: new Map(servers.map((server) => [server.slug, server])),
    serversById: new Map(servers.map((server) => [server.id, server])),
    liveServers: liveAmong(servers),
    grants: compileGrants([grants]),
    limits: compileLimits(limits),
    ...nameTables(servers.map((server) => ({ server, bareTools: new Set<string>(), barePrompts: new Set<string>() }))),
    revokedTokens: new Set(),
    listCache: new Map(),
    descriptions: new Map(),
  };
}

function serverOf({ era, slug, url, ...spec }: ServerSpec): CompiledServer {
  const entries = (kind: EntryKind, names: readonly string[]): Map<string, CompiledEntry> =>
    new Map(
      names.map((name) => [
        name,
        {
          kind,
          name,
          definition: Buffer.from(spec.definitions?.[name] ?? definitionOf(kind, name)),
          contractHash: name,
          needs: spec.needs?.[name] ?? [],
        },
      ]),
    );
  const catalogue: CompiledCatalogue = {
    era,
    protocolVersion: era === 'legacy' ? LEGACY_VERSIONS[3] : '2026-07-28',
    serverInfo: { name: slug, version: '1' },
    capabilities: { tools: {}, prompts: {}, resources: {}, completions: {}, ...spec.capabilities },
    instructions: spec.instructions ?? null,
    leftOut: spec.leftOut ?? null,
    ttlMs: spec.ttlMs ?? {},
    tools: entries('tool', spec.tools),
    prompts: entries('prompt', spec.prompts ?? []),
    resources: entries('resource', spec.resources ?? []),
    templates: entries('template', spec.templates ?? []),
  };
  return {
    id: ServerId.parse(spec.id ?? randomUUID()),
    slug,
    kind: url === null ? 'stdio' : 'streamable-http',
    url: url === null ? null : new URL(url),
    timeouts: { connectMs: 500, requestMs: spec.requestMs ?? 2_000 },
    isolation: spec.isolation ?? 'session',
    generation: spec.generation ?? 'g1',
    hasCredential: spec.hasCredential ?? false,
    catalogueMode: spec.catalogueMode ?? 'shared',
    sampling: spec.sampling ?? 'relayed',
    silentSince: spec.silentSince ?? null,
    clientProfile: spec.clientProfile ?? {},
    catalogue: spec.isDiscovered === false ? null : catalogue,
  };
}

function definitionOf(kind: EntryKind, name: string): string {
  if (kind === 'resource') return JSON.stringify({ uri: name, name });
  if (kind === 'template') return JSON.stringify({ uriTemplate: name, name });
  return JSON.stringify(kind === 'tool' ? { name, inputSchema: { type: 'object' } } : { name });
}
