import { buildNameTable } from '@patchbay/mcp-wire';
import type { CompiledEntry, CompiledServer, CompiledSnapshot, ExposedEntry } from './compiled.ts';

/** A server with the bare names that it held first in its organisation. */
export type ServerSource = {
  readonly server: CompiledServer;
  readonly bareTools: ReadonlySet<string>;
  readonly barePrompts: ReadonlySet<string>;
};

export type NameTables = Pick<
  CompiledSnapshot,
  'exposedTools' | 'exposedPrompts' | 'bareTools' | 'barePrompts' | 'resourceOwners' | 'templateOwners'
>;

/** The aggregated endpoint's names: exposed name → entry, bare name → its holders, the first holder first; and who owns which URI. */
export function nameTables(sources: readonly ServerSource[]): NameTables {
  const tools = tablesOf(
    sources,
    ({ server }) => server.catalogue?.tools,
    ({ bareTools }) => bareTools,
  );
  const prompts = tablesOf(
    sources,
    ({ server }) => server.catalogue?.prompts,
    ({ barePrompts }) => barePrompts,
  );
  return {
    exposedTools: tools.exposed,
    bareTools: tools.bare,
    exposedPrompts: prompts.exposed,
    barePrompts: prompts.bare,
    resourceOwners: ownersOf(sources, 'resources'),
    templateOwners: ownersOf(sources, 'templates'),
  };
}

function ownersOf(sources: readonly ServerSource[], kind: 'resources' | 'templates'): ReadonlyMap<string, readonly CompiledServer[]> {
  const owners = new Map<string, CompiledServer[]>();
  for (const { server } of sources) {
    for (const uri of server.catalogue?.[kind].keys() ?? []) {
      const known = owners.get(uri);
      if (known === undefined) owners.set(uri, [server]);
      else known.push(server);
    }
  }
  return owners;
}

type Tables = { exposed: Map<string, ExposedEntry>; bare: Map<string, ExposedEntry[]> };
type Row = { readonly serverSlug: string; readonly name: string; readonly source: ServerSource; readonly entry: CompiledEntry };

function tablesOf(
  sources: readonly ServerSource[],
  entriesOf: (source: ServerSource) => ReadonlyMap<string, CompiledEntry> | undefined,
  heldFirstBy: (source: ServerSource) => ReadonlySet<string>,
): Tables {
  const rows: Row[] = [];
  for (const source of sources) {
    for (const entry of entriesOf(source)?.values() ?? []) rows.push({ serverSlug: source.server.slug, name: entry.name, source, entry });
  }
  const exposed = new Map<string, ExposedEntry>();
  const bare = new Map<string, ExposedEntry[]>();
  const names = buildNameTable(rows);
  for (const [exposedName, { name, source, entry }] of names) {
    const row = { server: source.server, entry, exposedName };
    exposed.set(exposedName, row);
    // A bare name that is somebody's exposed name means that one, always.
    if (names.has(name)) continue;
    const holders = bare.get(name) ?? [];
    if (heldFirstBy(source).has(name)) holders.unshift(row);
    else holders.push(row);
    bare.set(name, holders);
  }
  return { exposed, bare };
}
