import { randomUUID } from 'node:crypto';
import { GrantId, type LimitsPart, OrganisationId, Revision, ServerId } from '@patchbay/contracts';
import { buildNameTable, type Era, LEGACY_VERSIONS } from '@patchbay/mcp-wire';
import { compileGrants } from '@patchbay/policy';
import { compileLimits } from '../../src/limits/compile-limits.ts';
import type {
  CompiledCatalogue,
  CompiledEntry,
  CompiledServer,
  CompiledSnapshot,
  EntryKind,
  ExposedEntry,
} from '../../src/snapshot/compiled.ts';

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
  readonly definitions?: Readonly<Record<string, string>>;
  readonly requestMs?: number;
  readonly hasCredential?: boolean;
  readonly generation?: string;
  readonly isolation?: 'session' | 'shared';
};

/** A snapshot in which everyone may use everything. */
export function snapshotOf(specs: readonly ServerSpec[], limits: LimitsPart['limits']): CompiledSnapshot {
  const servers = specs.map(serverOf);
  const names = (kind: 'tools' | 'prompts'): ReadonlyMap<string, ExposedEntry> => exposedOf(servers, kind);
  const grants = servers.map(({ id }) => ({
    id: GrantId.parse(randomUUID()),
    subject: { kind: 'everyone' as const },
    serverId: id,
    tools: { mode: 'all' as const },
  }));
  return {
    organisationId: ORGANISATION,
    organisationSlug: 'acme',
    epoch: 1,
    revision: Revision.parse(1),
    issuedAtMs: Date.now(),
    egressOpenings: OPENINGS,
    serversBySlug: new Map(servers.map((server) => [server.slug, server])),
    serversById: new Map(servers.map((server) => [server.id, server])),
    grants: compileGrants([grants]),
    limits: compileLimits(limits),
    exposedTools: names('tools'),
    exposedPrompts: names('prompts'),
    bareTools: new Map(),
    barePrompts: new Map(),
    revokedTokens: new Set(),
    listCache: new Map(),
  };
}

function exposedOf(servers: readonly CompiledServer[], kind: 'tools' | 'prompts'): ReadonlyMap<string, ExposedEntry> {
  const all = servers.flatMap((server) =>
    [...(server.catalogue?.[kind].values() ?? [])].map((entry) => ({ server, entry, serverSlug: server.slug, name: entry.name })),
  );
  return new Map([...buildNameTable(all)].map(([exposedName, { entry, server }]) => [exposedName, { entry, exposedName, server }]));
}

function serverOf({ era, slug, url, ...spec }: ServerSpec): CompiledServer {
  const entries = (kind: EntryKind, names: readonly string[]): Map<string, CompiledEntry> =>
    new Map(
      names.map((name) => [
        name,
        {
          kind,
          name,
          definition: Buffer.from(spec.definitions?.[name] ?? JSON.stringify({ name, inputSchema: { type: 'object' } })),
          contractHash: name,
        },
      ]),
    );
  const catalogue: CompiledCatalogue = {
    era,
    protocolVersion: era === 'legacy' ? LEGACY_VERSIONS[3] : '2026-07-28',
    serverInfo: { name: slug, version: '1' },
    capabilities: { tools: {}, prompts: {}, resources: {}, completions: {} },
    instructions: null,
    tools: entries('tool', spec.tools),
    prompts: entries('prompt', spec.prompts ?? []),
    resources: new Map(),
    templates: new Map(),
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
    catalogue,
  };
}
