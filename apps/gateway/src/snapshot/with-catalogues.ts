import type { ServerId } from '@patchbay/contracts';
import type { CompiledCatalogue, CompiledServer, CompiledSnapshot, ExposedEntry } from './compiled.ts';
import { nameTables } from './name-tables.ts';
import { OverlaidMap } from './overlaid-map.ts';

type Owners = ReadonlyMap<string, readonly CompiledServer[]>;
type Bare = ReadonlyMap<string, readonly ExposedEntry[]>;

/**
 * The snapshot in which these servers offer what they told the caller's credential: the same grants, and tables of names as exact as its own.
 * Costs what these servers offer, whatever else the organisation has. Its composed lists are its own.
 */
export function withCatalogues(snapshot: CompiledSnapshot, catalogues: ReadonlyMap<ServerId, CompiledCatalogue>): CompiledSnapshot {
  const own = (server: CompiledServer): CompiledServer => {
    const catalogue = catalogues.get(server.id);
    return catalogue === undefined ? server : { ...server, catalogue, isOfCredential: true };
  };
  const serversBySlug = new Map([...snapshot.serversBySlug].map(([slug, server]) => [slug, own(server)]));
  const servers = [...serversBySlug.values()];
  const changed = servers.filter(({ id }) => catalogues.has(id));
  // Exposed names begin with their server's slug, which has no underscore: those of these servers meet no others.
  const tables = nameTables(changed.map((server) => ({ server, bareTools: NONE, barePrompts: NONE })));
  const isReplaced = (server: CompiledServer): boolean => catalogues.has(server.id);
  const exposedTools = exposed(snapshot.exposedTools, tables.exposedTools, isReplaced);
  const exposedPrompts = exposed(snapshot.exposedPrompts, tables.exposedPrompts, isReplaced);
  return {
    ...snapshot,
    serversBySlug,
    serversById: new Map(servers.map((server) => [server.id, server])),
    exposedTools,
    exposedPrompts,
    bareTools: bare(snapshot.bareTools, tables.bareTools, { exposedNames: exposedTools, isReplaced }),
    barePrompts: bare(snapshot.barePrompts, tables.barePrompts, { exposedNames: exposedPrompts, isReplaced }),
    resourceOwners: owners(snapshot.resourceOwners, tables.resourceOwners, isReplaced),
    templateOwners: owners(snapshot.templateOwners, tables.templateOwners, isReplaced),
    listCache: new Map(),
  };
}

const NONE: ReadonlySet<string> = new Set();
type IsReplaced = (server: CompiledServer) => boolean;

function exposed(all: ReadonlyMap<string, ExposedEntry>, own: ReadonlyMap<string, ExposedEntry>, isReplaced: IsReplaced) {
  const merged = (ofAll: ExposedEntry | undefined, ofOwn: ExposedEntry | undefined): ExposedEntry | undefined =>
    ofOwn ?? (ofAll !== undefined && isReplaced(ofAll.server) ? undefined : ofAll);
  return new OverlaidMap(all, own, { merged, before: (a, b) => a.server.slug < b.server.slug });
}

type BareRules = { readonly exposedNames: ReadonlyMap<string, ExposedEntry>; readonly isReplaced: IsReplaced };

/**
 * The first holder of a name stays it. Where that is one of these servers and offers the name no more to this credential, it is nobody's:
 * a name must never come to mean another tool (architecture.md §3).
 */
function bare(all: Bare, own: Bare, { exposedNames, isReplaced }: BareRules): Bare {
  const merged = (ofAll: readonly ExposedEntry[] = [], ofOwn: readonly ExposedEntry[] = [], name: string) => {
    if (exposedNames.has(name)) return undefined;
    const [first] = ofAll;
    const others = ofAll.filter(({ server }) => !isReplaced(server));
    if (first === undefined || !isReplaced(first.server)) return nonEmpty([...others, ...ofOwn]);
    const still = ofOwn.find(({ server }) => server.id === first.server.id);
    return still === undefined ? undefined : [still, ...others, ...ofOwn.filter((each) => each !== still)];
  };
  return new OverlaidMap<readonly ExposedEntry[]>(all, own, { merged });
}

function owners(all: Owners, own: Owners, isReplaced: IsReplaced): Owners {
  const merged = (ofAll: readonly CompiledServer[] = [], ofOwn: readonly CompiledServer[] = []) =>
    nonEmpty([...ofAll.filter((server) => !isReplaced(server)), ...ofOwn]);
  return new OverlaidMap<readonly CompiledServer[]>(all, own, { merged });
}

function nonEmpty<T>(values: readonly T[]): readonly T[] | undefined {
  return values.length === 0 ? undefined : values;
}
