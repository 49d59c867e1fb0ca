import type { Principal, ServerId } from '@patchbay/contracts';
import { decide, fingerprint } from '@patchbay/policy';
import type { CompiledEntry, CompiledServer, CompiledSnapshot, ExposedEntry } from '../snapshot/compiled.ts';

/** The lists whose change clients are told of; a change of the templates is one of the resources. */
export const CHANGING_LISTS = ['tools', 'prompts', 'resources'] as const;
export type ChangingList = (typeof CHANGING_LISTS)[number];

/** Who looks, and at which endpoint; `serverId` is null at the aggregated one. */
export type Viewer = { readonly principal: Pick<Principal, 'subjects'>; readonly serverId: ServerId | null };

/** Entries by name; `owner` is null where each row says whose it is. */
type Table = { readonly owner: CompiledServer | null; readonly rows: ReadonlyMap<string, CompiledEntry | ExposedEntry> };

/** Viewers with equal keys see the same lists, before and after. */
export function viewerKey({ principal, serverId }: Viewer, before: CompiledSnapshot, after: CompiledSnapshot): string {
  return `${serverId ?? ''} ${fingerprint(before.grants, principal)} ${fingerprint(after.grants, principal)}`;
}

/** The lists that look different to the viewer than before: other names, other bytes, another order. Costs what has changed and is seen. */
export function changedLists(viewer: Viewer, before: CompiledSnapshot, after: CompiledSnapshot): ReadonlySet<ChangingList> {
  return new Set(CHANGING_LISTS.filter((list) => differs(list, viewer, before, after)));
}

function differs(list: ChangingList, viewer: Viewer, before: CompiledSnapshot, after: CompiledSnapshot): boolean {
  if (list !== 'resources' && profileText(before, viewer) !== profileText(after, viewer)) return true;
  const [old, fresh] = [tablesOf(before, viewer, list), tablesOf(after, viewer, list)];
  const isUntouched = old.length === fresh.length && old.every(({ rows }, index) => rows === fresh[index]?.rows);
  if (isUntouched && before.grants === after.grants) return false;
  return !sameEntries(visible(old, viewer, before), visible(fresh, viewer, after));
}

/** What clients of the endpoint can take: what was left out for them may now be there, or the other way round. */
function profileText(snapshot: CompiledSnapshot, { serverId }: Viewer): string {
  return JSON.stringify((serverId === null ? snapshot : snapshot.serversById.get(serverId))?.clientProfile ?? {});
}

/** At the aggregated endpoint tools and prompts come from the table of all exposed names, resources from each server's own. */
function tablesOf(snapshot: CompiledSnapshot, { serverId }: Viewer, list: ChangingList): readonly Table[] {
  if (serverId !== null) return ownTables(snapshot.serversById.get(serverId), list);
  if (list === 'tools') return [{ owner: null, rows: snapshot.exposedTools }];
  if (list === 'prompts') return [{ owner: null, rows: snapshot.exposedPrompts }];
  return [...snapshot.serversBySlug.values()].flatMap((server) => ownTables(server, list));
}

function ownTables(server: CompiledServer | undefined, list: ChangingList): readonly Table[] {
  const catalogue = server?.catalogue ?? null;
  if (server === undefined || catalogue === null) return [];
  const tables = list === 'resources' ? [catalogue.resources, catalogue.templates] : [catalogue[list]];
  return tables.map((rows) => ({ owner: server, rows }));
}

type Seen = { readonly name: string; readonly entry: CompiledEntry };

/** By the same `decide` that guards calls and filters lists. Names are told apart by whose they are. */
function visible(tables: readonly Table[], { principal }: Viewer, { grants }: CompiledSnapshot): readonly Seen[] {
  const seen: Seen[] = [];
  for (const { owner, rows } of tables) {
    for (const [name, row] of rows) {
      const [entry, server] = 'exposedName' in row ? [row.entry, row.server] : [row, owner];
      if (server !== null && decide(grants, principal, server.id, entry).kind === 'allow')
        seen.push({ name: `${server.slug} ${name}`, entry });
    }
  }
  return seen;
}

function sameEntries(some: readonly Seen[], others: readonly Seen[]): boolean {
  return (
    some.length === others.length &&
    some.every(({ name, entry }, index) => {
      const other = others[index];
      return other !== undefined && other.name === name && (other.entry === entry || other.entry.definition.equals(entry.definition));
    })
  );
}
