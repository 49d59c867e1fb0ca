import { isDeepStrictEqual } from 'node:util';
import { CataloguePartHeader, type Catalogue, type CatalogueEntryKind, type ServerId } from '@patchbay/contracts';
import type { z } from 'zod';
import { contractKey } from './conditional.ts';
import type { Discovered } from './discover.ts';
import type { FoundEntry } from './entries.ts';

/** A catalogue as it travels to pods: a header line, then the server's own definitions end to end. The same offer gives the same bytes. */
export function encodeCataloguePart(serverId: ServerId, found: Discovered): Buffer {
  let offset = 0;
  const entries = found.entries.map(({ kind, name, bytes, contractHash, needs }) => {
    const entry = {
      kind,
      name,
      offset,
      length: bytes.length,
      contractHash,
      ...(needs.length === 0 ? {} : { needs: needs.map((set) => [...set]) }),
    };
    offset += bytes.length;
    return entry;
  });
  const { era, protocolVersion, serverInfo, capabilities, instructions, notice, ttlMs } = found;
  const header = {
    ...({ format: 1, serverId, era, protocolVersion, serverInfo, capabilities, instructions } as const),
    // What there is nothing to say of is not said: the bytes of such a catalogue are those of versions that knew neither.
    ...(notice === null ? {} : { leftOut: notice }),
    ...(Object.keys(ttlMs).length === 0 ? {} : { ttlMs }),
    entries,
  } satisfies z.input<typeof CataloguePartHeader>;
  return Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`, 'utf8'), ...found.entries.map(({ bytes }) => bytes)]);
}

/** The header of a part that `encodeCataloguePart` wrote, and where its definitions begin. */
export function readCatalogueHeader(bytes: Uint8Array): { readonly header: CataloguePartHeader; readonly definitions: Buffer } {
  const part = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = part.indexOf(0x0a);
  return { header: CataloguePartHeader.parse(JSON.parse(part.toString('utf8', 0, end))), definitions: part.subarray(end + 1) };
}

/** What of a part depends on the client, and how; nothing when the server called itself otherwise then. */
export function needsIn(bytes: Uint8Array, serverInfo: Discovered['serverInfo']): ReadonlyMap<string, FoundEntry['needs']> {
  const { header } = readCatalogueHeader(bytes);
  if (!isDeepStrictEqual(header.serverInfo, serverInfo)) return new Map();
  return new Map(header.entries.flatMap((entry) => (entry.needs.length === 0 ? [] : [[contractKey(entry), entry.needs]])));
}

const EMPTY: Catalogue['observed'] = { tools: [], prompts: [], resources: [], resourceTemplates: [] };

const MEMBER: Readonly<Record<CatalogueEntryKind, keyof Catalogue['observed']>> = {
  tool: 'tools',
  prompt: 'prompts',
  resource: 'resources',
  template: 'resourceTemplates',
};

/** The entries of a part as the API shows them. */
export function catalogueEntries(bytes: Uint8Array | null): Catalogue['observed'] {
  if (bytes === null) return EMPTY;
  const { header, definitions } = readCatalogueHeader(bytes);
  const view: Catalogue['observed'] = { tools: [], prompts: [], resources: [], resourceTemplates: [] };
  for (const { kind, name, offset, length, contractHash, needs } of header.entries) {
    view[MEMBER[kind]].push({ name, contractHash, needs, definition: JSON.parse(definitions.toString('utf8', offset, offset + length)) });
  }
  return view;
}
