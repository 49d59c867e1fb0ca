import { Fault } from '@patchbay/errors';
import {
  CataloguePartHeader,
  GrantsPart,
  LimitsPart,
  OrganisationPart,
  PartKind,
  RevocationsPart,
  ServerPart,
  type CatalogueEntryKind,
  type Manifest,
} from '@patchbay/contracts';
import { type CompiledLimits, compileLimits } from '../limits/compile-limits.ts';
import type { CompiledCatalogue, CompiledEntry } from './compiled.ts';
import type { Shape } from './verify.ts';

export type PartRow = Manifest['parts'][number];

/** A row of a kind that this version reads. */
export type KnownPartRow = PartRow & { readonly kind: PartKind };

/** Rows of kinds that this version reads; a newer control plane may name others (docs/architecture/snapshot.md, versions). */
export function knownRows(manifest: Manifest): KnownPartRow[] {
  return manifest.parts.filter(isKnown);
}

function isKnown(row: PartRow): row is KnownPartRow {
  return KNOWN_KINDS.has(row.kind);
}

const KNOWN_KINDS: ReadonlySet<string> = new Set(PartKind.options);

/** One part, read. Depends on its bytes alone, so it is kept under its hash from one snapshot to the next. */
export type CompiledPart =
  | { readonly kind: 'organisation'; readonly key: string; readonly part: OrganisationPart }
  | { readonly kind: 'server'; readonly key: string; readonly part: ServerPart; readonly url: URL | null }
  | { readonly kind: 'catalogue'; readonly key: string; readonly catalogue: CompiledCatalogue }
  | { readonly kind: 'grants'; readonly key: string; readonly grants: GrantsPart['grants'] }
  | { readonly kind: 'limits'; readonly key: string; readonly limits: CompiledLimits | null }
  | { readonly kind: 'revocations'; readonly key: string; readonly tokens: readonly string[] };

const NEWLINE = 0x0a;

/** Reads one part's bytes, whose hash is known to be right. Throws a Fault on anything malformed or on a part that says it is another's. */
export function compilePart(row: KnownPartRow, bytes: Buffer): CompiledPart {
  const compiled = readPart(row, bytes);
  if (compiled.key !== row.key) throw malformed(row, 'is about something else than the manifest says');
  return compiled;
}

function readPart(row: KnownPartRow, bytes: Buffer): CompiledPart {
  switch (row.kind) {
    case 'organisation': {
      const part = parse(row, OrganisationPart, bytes);
      return { kind: 'organisation', key: row.key, part };
    }
    case 'server': {
      const part = parse(row, ServerPart, bytes);
      return { kind: 'server', key: part.id, part, url: urlOf(row, part) };
    }
    case 'catalogue':
      return readCatalogue(row, bytes);
    case 'grants':
      return { kind: 'grants', key: row.key, grants: parse(row, GrantsPart, bytes).grants };
    case 'limits':
      return { kind: 'limits', key: row.key, limits: compileLimits(parse(row, LimitsPart, bytes).limits) };
    case 'revocations':
      return { kind: 'revocations', key: row.key, tokens: parse(row, RevocationsPart, bytes).tokens };
  }
}

function urlOf(row: PartRow, part: ServerPart): URL | null {
  if (part.kind === 'stdio') return null;
  const url = part.url === null ? null : URL.parse(part.url);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) throw malformed(row, 'has no http(s) URL');
  return url;
}

function readCatalogue(row: PartRow, bytes: Buffer): CompiledPart {
  const headerEnd = bytes.indexOf(NEWLINE);
  if (headerEnd < 0) throw malformed(row, 'has no header line');
  const header = parse(row, CataloguePartHeader, bytes.subarray(0, headerEnd));
  const definitions = bytes.subarray(headerEnd + 1);
  const byKind: Record<CatalogueEntryKind, Map<string, CompiledEntry>> = {
    tool: new Map(),
    prompt: new Map(),
    resource: new Map(),
    template: new Map(),
  };
  for (const { kind, name, offset, length, contractHash, needs } of header.entries) {
    if (offset + length > definitions.length) throw malformed(row, 'points outside its own bytes');
    // The first of a name stays: what is listed and what is called must be one entry.
    if (byKind[kind].has(name)) continue;
    byKind[kind].set(name, { kind, name, definition: definitions.subarray(offset, offset + length), contractHash, needs });
  }
  const { era, protocolVersion, serverInfo, capabilities, instructions, leftOut, ttlMs } = header;
  const { tool: tools, prompt: prompts, resource: resources, template: templates } = byKind;
  const said = { era, protocolVersion, serverInfo, capabilities, instructions, leftOut, ttlMs };
  const catalogue = { ...said, tools, prompts, resources, templates };
  return { kind: 'catalogue', key: header.serverId, catalogue };
}

function parse<T>(row: PartRow, shape: Shape<T>, bytes: Buffer): T {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw malformed(row, 'is not JSON', cause);
  }
  const parsed = shape.safeParse(value);
  if (!parsed.success) throw malformed(row, 'has not the shape of its kind');
  return parsed.data;
}

function malformed(row: PartRow, what: string, cause?: unknown): Fault {
  return new Fault('internal', `part ${row.kind} ${row.key} (${row.hash}) ${what}`, cause);
}
