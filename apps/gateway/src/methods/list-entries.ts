import { exposedName, exposedUri } from '@patchbay/mcp-wire';
import { decidedBy } from '../aggregate/app-pages.ts';
import { exposeEntry } from '../aggregate/expose-entry.ts';
import { isPermitted } from '../aggregate/is-permitted.ts';
import type { CallContext } from '../pipeline/context.ts';
import type { CompiledEntry, CompiledServer, CompiledSnapshot, EntryKind, ListedEntry } from '../snapshot/compiled.ts';
import { offerable, suffices } from './declared-capabilities.ts';
import { listedEntry } from './listed-entry.ts';
import { needsTaskOfSession } from './needs-task.ts';

export type ListMethod = 'tools/list' | 'prompts/list' | 'resources/list' | 'resources/templates/list';

/** The four lists: the member of their result that holds the entries, and what these are. */
export const LIST_KINDS = {
  'tools/list': { member: 'tools', kind: 'tool' },
  'prompts/list': { member: 'prompts', kind: 'prompt' },
  'resources/list': { member: 'resources', kind: 'resource' },
  'resources/templates/list': { member: 'resourceTemplates', kind: 'template' },
} as const satisfies Record<ListMethod, { member: string; kind: EntryKind }>;

/** Whose list is made: the caller, and what it declared of that which servers make their offer depend on. */
export type Viewer = { readonly ctx: CallContext; readonly declared: readonly string[] };

/** What the caller may use at this endpoint, as it is named there; in the order of slugs, then in the servers' own. */
export function visibleEntries(viewer: Viewer, snapshot: CompiledSnapshot, method: ListMethod): ListedEntry[] {
  const { kind } = LIST_KINDS[method];
  const { ctx } = viewer;
  const { endpointServer } = ctx;
  if (endpointServer !== null) {
    return visibleOf(viewer, endpointServer, kind).map((entry) => ({
      key: keyOf(endpointServer, entry),
      name: entry.name,
      definition: listedEntry(ctx, endpointServer, entry).definition,
    }));
  }
  if (kind === 'tool' || kind === 'prompt') return visibleNames(viewer, snapshot, kind);
  const visible: ListedEntry[] = [];
  for (const server of snapshot.serversBySlug.values()) {
    for (const entry of visibleOf(viewer, server, kind)) {
      const name = exposedUri(server.slug, entry.name);
      visible.push({ key: keyOf(server, entry), name, definition: exposeEntry(entry, server.slug, name) });
    }
  }
  return visible;
}

function visibleNames(viewer: Viewer, snapshot: CompiledSnapshot, kind: 'tool' | 'prompt'): ListedEntry[] {
  const visible: ListedEntry[] = [];
  for (const { entry, exposedName, server } of (kind === 'tool' ? snapshot.exposedTools : snapshot.exposedPrompts).values()) {
    if (isVisible(viewer, server, entry))
      visible.push({
        key: keyOf(server, entry),
        name: exposedName,
        definition: exposeEntry(listedEntry(viewer.ctx, server, entry), server.slug, exposedName),
      });
  }
  return visible;
}

/** What a server says itself that it offers this caller, as the aggregated endpoint lists it; `leftOut`: what has no name there by which it could be called. */
export function liveEntries(
  viewer: Viewer,
  server: CompiledServer,
  entries: Iterable<CompiledEntry>,
): { readonly listed: ListedEntry[]; readonly leftOut: string[] } {
  const [listed, leftOut]: [ListedEntry[], string[]] = [[], []];
  for (const entry of entries) {
    if (!isVisible(viewer, server, entry)) continue;
    const name = liveName(viewer.ctx, server, entry);
    if (name === null) leftOut.push(entry.name);
    else
      listed.push({
        key: keyOf(server, entry),
        name,
        definition: exposeEntry(listedEntry(viewer.ctx, server, entry), server.slug, name),
      });
  }
  return { listed, leftOut };
}

/** Of what discovery has not seen only names that say by themselves what they stand for: any pod has to know it (`aggregate-target.ts`). */
function liveName({ snapshot }: CallContext, { catalogue, id, slug }: CompiledServer, { kind, name }: CompiledEntry): string | null {
  if (kind === 'resource' || kind === 'template') {
    const exposed = exposedUri(slug, name);
    const isKnown = (kind === 'resource' ? catalogue?.resources : catalogue?.templates)?.has(name) === true;
    return exposed === name && !isKnown ? `patchbay+${slug}+${name}` : exposed;
  }
  const exposed = exposedName(slug, name);
  const holder = (kind === 'tool' ? snapshot?.exposedTools : snapshot?.exposedPrompts)?.get(exposed);
  if (holder === undefined) return exposed === `${slug}_${name}` ? exposed : null;
  return holder.server.id === id && holder.entry.name === name ? exposed : null;
}

function visibleOf(viewer: Viewer, server: CompiledServer, kind: EntryKind): CompiledEntry[] {
  return [...entriesOf(server, kind)].filter((entry) => isVisible(viewer, server, entry));
}

function isVisible({ ctx, declared }: Viewer, server: CompiledServer, entry: CompiledEntry): boolean {
  if (!suffices(offerable(declared, server), entry.needs) || needsTaskOfSession(ctx, server, entry)) return false;
  return isPermitted(ctx, server, decidedBy(ctx, server, entry));
}

function entriesOf({ catalogue }: CompiledServer, kind: EntryKind): Iterable<CompiledEntry> {
  if (catalogue === null) return [];
  switch (kind) {
    case 'tool':
      return catalogue.tools.values();
    case 'prompt':
      return catalogue.prompts.values();
    case 'resource':
      return catalogue.resources.values();
    case 'template':
      return catalogue.templates.values();
  }
}

function keyOf(server: CompiledServer, { name }: CompiledEntry): string {
  return `${server.id} ${name}`;
}
