import { Fault } from '@patchbay/errors';
import { compileGrants, type CompiledGrants } from '@patchbay/policy';
import type { ClientProfile, Manifest } from '@patchbay/contracts';
import { compilePart, knownRows, type CompiledPart, type KnownPartRow, type PartRow } from './compile-parts.ts';
import { introduced } from './introduced.ts';
import { nameTables, type NameTables, type ServerSource } from './name-tables.ts';
import type { CompiledServer, CompiledSnapshot } from './compiled.ts';
import type { PartBytes } from './disk.ts';

/** A snapshot with what the next one can take over from it: everything whose parts have not changed. */
export type Compilation = {
  readonly snapshot: CompiledSnapshot;
  readonly parts: ReadonlyMap<string, CompiledPart>;
  readonly servers: ReadonlyMap<string, ServerSource>;
  readonly grantsKey: string;
  readonly names: NameTables;
  readonly namesKey: string;
};

/** The hashes that `previous` has not compiled: all that must be fetched. */
export function partsToFetch(manifest: Manifest, previous: Compilation | null): KnownPartRow[] {
  return knownRows(manifest).filter((row) => previous?.parts.has(cacheKey(row)) !== true);
}

/**
 * Turns a verified manifest and the bytes of its new parts into lookup tables. Costs what changed since `previous`, and
 * lets other work in between parts. Throws a Fault when anything is malformed or missing: then nothing of it may be served.
 */
export async function compileSnapshot(manifest: Manifest, bytes: PartBytes, previous: Compilation | null): Promise<Compilation> {
  const parts = await compileParts(manifest, bytes, previous);
  const organisation = organisationOf(manifest, parts);
  const servers = serversOf(manifest, parts, previous);
  // Lists stand in the order of slugs, whenever a server was registered: what has not changed stays where it was.
  const sources = [...servers.values()].toSorted((a, b) => (a.server.slug < b.server.slug ? -1 : 1));
  const namesKey = [...servers.keys()].toSorted().join(' ');
  const names = previous !== null && previous.namesKey === namesKey ? previous.names : nameTables(sources);
  const { grants, grantsKey } = grantsOf(manifest, parts, previous);
  const snapshot: CompiledSnapshot = {
    organisationId: manifest.organisationId,
    organisationSlug: manifest.organisationSlug,
    epoch: manifest.epoch,
    revision: manifest.revision,
    issuedAtMs: manifest.issuedAtMs,
    egressOpenings: organisation.egressOpenings,
    ...profileIn(organisation),
    ...(organisation.allowedOrigins === undefined ? {} : { allowedOrigins: new Set(organisation.allowedOrigins) }),
    serversBySlug: indexBy(sources, ({ server }) => server.slug),
    serversById: indexBy(sources, ({ server }) => server.id),
    liveServers: liveAmong(sources.map(({ server }) => server)),
    grants,
    limits: limitsOf(parts),
    revokedTokens: new Set([...parts.values()].flatMap((part) => (part.kind === 'revocations' ? part.tokens : []))),
    ...names,
    listCache: new Map(),
    descriptions: new Map(),
  };
  return { snapshot, parts, servers, grantsKey, names, namesKey };
}

function cacheKey({ kind, key, hash }: PartRow): string {
  return `${kind}:${key}:${hash}`;
}

async function compileParts(manifest: Manifest, bytes: PartBytes, previous: Compilation | null): Promise<Map<string, CompiledPart>> {
  const parts = new Map<string, CompiledPart>();
  for (const row of knownRows(manifest)) {
    const known = previous?.parts.get(cacheKey(row));
    if (known !== undefined) {
      parts.set(cacheKey(row), known);
      continue;
    }
    const found = bytes.get(row.hash);
    if (found === undefined) throw new Fault('internal', `part ${row.kind} ${row.key} (${row.hash}) was not fetched`);
    parts.set(cacheKey(row), compilePart(row, found));
    if (found.length > LARGE_PART_BYTES) await new Promise<void>((resolve) => void setImmediate(resolve));
  }
  return parts;
}

/** After a part of this size, calls get their turn before the next is read. */
const LARGE_PART_BYTES = 64 * 1024;

function organisationOf(manifest: Manifest, parts: ReadonlyMap<string, CompiledPart>) {
  const found = [...parts.values()].filter((part) => part.kind === 'organisation');
  const part = found[0]?.part;
  if (found.length !== 1 || part === undefined) throw new Fault('internal', 'a manifest must name exactly one organisation part');
  if (part.organisationId !== manifest.organisationId || part.slug !== manifest.organisationSlug) {
    throw new Fault('internal', 'the organisation part belongs to another organisation');
  }
  return part;
}

function serversOf(manifest: Manifest, parts: ReadonlyMap<string, CompiledPart>, previous: Compilation | null): Map<string, ServerSource> {
  const catalogueRows = new Map(manifest.parts.filter((row) => row.kind === 'catalogue').map((row) => [row.key, row]));
  const servers = new Map<string, ServerSource>();
  const slugs = new Set<string>();
  for (const row of manifest.parts) {
    if (row.kind !== 'server') continue;
    const catalogueRow = catalogueRows.get(row.key);
    const key = `${row.hash}+${catalogueRow?.hash ?? ''}`;
    const source = previous?.servers.get(key) ?? serverOf(parts.get(cacheKey(row)), catalogueRow && parts.get(cacheKey(catalogueRow)));
    if (slugs.has(source.server.slug)) throw new Fault('internal', `two servers have the slug ${source.server.slug}`);
    slugs.add(source.server.slug);
    catalogueRows.delete(row.key);
    servers.set(key, source);
  }
  if (catalogueRows.size > 0) throw new Fault('internal', 'the manifest names a catalogue without its server');
  return servers;
}

/** Those that make their lists for each session, and are known well enough to be asked. */
export function liveAmong(servers: readonly CompiledServer[]): readonly CompiledServer[] {
  return servers.filter(({ catalogue, catalogueMode }) => catalogueMode === 'live' && catalogue !== null);
}

function serverOf(serverPart: CompiledPart | undefined, cataloguePart: CompiledPart | undefined): ServerSource {
  if (serverPart?.kind !== 'server') throw new Fault('internal', 'a server part is missing');
  const { part, url } = serverPart;
  const server: CompiledServer = {
    id: part.id,
    slug: part.slug,
    kind: part.kind,
    url,
    timeouts: part.timeouts,
    isolation: part.isolation,
    generation: part.generation,
    hasCredential: part.hasCredential,
    catalogueMode: part.catalogueMode,
    sampling: part.sampling,
    ...profileIn(part),
    silentSince: part.silentSince,
    catalogue: cataloguePart?.kind === 'catalogue' ? introduced(cataloguePart.catalogue, part.slug) : null,
  };
  return { server, bareTools: new Set(part.bareTools), barePrompts: new Set(part.barePrompts) };
}

function profileIn({ clientProfile }: { clientProfile?: ClientProfile | undefined }): { clientProfile?: ClientProfile } {
  return clientProfile === undefined ? {} : { clientProfile };
}

function grantsOf(
  manifest: Manifest,
  parts: ReadonlyMap<string, CompiledPart>,
  previous: Compilation | null,
): { grants: CompiledGrants; grantsKey: string } {
  const rows = manifest.parts.filter((row) => row.kind === 'grants');
  const grantsKey = rows.map(cacheKey).toSorted().join(' ');
  if (previous !== null && previous.grantsKey === grantsKey) return { grants: previous.snapshot.grants, grantsKey };
  const shards = [...parts.values()].filter((part) => part.kind === 'grants').map((part) => part.grants);
  return { grants: compileGrants(shards), grantsKey };
}

function limitsOf(parts: ReadonlyMap<string, CompiledPart>): CompiledSnapshot['limits'] {
  const found = [...parts.values()].filter((part) => part.kind === 'limits');
  if (found.length > 1) throw new Fault('internal', 'a manifest must name one limits part at most');
  return found[0]?.limits ?? null;
}

function indexBy(sources: readonly ServerSource[], keyOf: (source: ServerSource) => string): Map<string, CompiledServer> {
  return new Map(sources.map((source) => [keyOf(source), source.server]));
}
