import { refusal } from '@patchbay/errors';
import { exposedUri } from '@patchbay/mcp-wire';
import { fingerprint } from '@patchbay/policy';
import { exposeEntry } from '../aggregate/expose-entry.ts';
import { isPermitted } from '../aggregate/is-permitted.ts';
import type { CallContext, Outcome } from '../pipeline/context.ts';
import { ANSWERED } from '../pipeline/context.ts';
import { respondResult } from '../pipeline/respond.ts';
import type { CompiledEntry, CompiledServer, CompiledSnapshot, ExposedEntry } from '../snapshot/compiled.ts';
import { listedEntry } from './listed-entry.ts';
import { SERVER_INFO, SERVER_INFO_META_KEY, SERVERS_META_KEY } from './self.ts';

/** The four lists and the member of their result that holds the entries. */
export const LIST_MEMBERS = {
  'tools/list': 'tools',
  'prompts/list': 'prompts',
  'resources/list': 'resources',
  'resources/templates/list': 'resourceTemplates',
} as const;
export type ListMethod = keyof typeof LIST_MEMBERS;

/** Bodies kept per snapshot; a body is made again when it fell out. */
const LIST_BODIES_MAX = 512;

/**
 * Answers a list from the snapshot: the upstreams' own bytes, filtered by the same `decide` that guards calls, one page.
 * The first list of a permission set is composed, later ones are one lookup.
 */
export function list(ctx: CallContext, method: ListMethod): Outcome {
  const { endpointServer, message, principal, snapshot } = ctx;
  if (snapshot === null || principal === null || message === null) return refusal('internal');
  // Everything fits one page, so no cursor was ever handed out: any cursor, the empty string included, is not ours.
  if (message.cursorSpan !== null) return refusal('cursor.invalid');
  if (endpointServer !== null && endpointServer.catalogue === null) return refusal('upstream.unreachable', notDiscovered(endpointServer));
  const key = `${method} ${ctx.era} ${endpointServer?.id ?? ''} ${fingerprint(snapshot.grants, principal)}`;
  let body = snapshot.listCache.get(key);
  if (body === undefined) {
    body = endpointServer === null ? composeAggregate(ctx, snapshot, method) : composeServer(ctx, endpointServer, method);
    if (snapshot.listCache.size >= LIST_BODIES_MAX) snapshot.listCache.clear();
    snapshot.listCache.set(key, body);
  }
  respondResult(ctx, body);
  return ANSWERED;
}

/** What a caller who may use the server is told until discovery has succeeded once. */
export function notDiscovered(server: CompiledServer): string {
  return `Server "${server.slug}" has not answered discovery yet, so its tools are not known. Its catalogue in the API says why.`;
}

function composeServer(ctx: CallContext, server: CompiledServer, method: ListMethod): Buffer {
  const visible: Buffer[] = [];
  for (const entry of entriesOf(server, method)) {
    if (isPermitted(ctx, server, entry)) visible.push(listedEntry(ctx, server, entry).definition);
  }
  return resultBody(ctx, method, visible, { serverInfo: server.catalogue?.serverInfo ?? SERVER_INFO, missing: null });
}

function entriesOf({ catalogue }: CompiledServer, method: ListMethod): Iterable<CompiledEntry> {
  if (catalogue === null) return [];
  switch (method) {
    case 'tools/list':
      return catalogue.tools.values();
    case 'prompts/list':
      return catalogue.prompts.values();
    case 'resources/list':
      return catalogue.resources.values();
    case 'resources/templates/list':
      return catalogue.templates.values();
  }
}

function composeAggregate(ctx: CallContext, snapshot: CompiledSnapshot, method: ListMethod): Buffer {
  const visible =
    method === 'tools/list' || method === 'prompts/list'
      ? visibleNames(ctx, method === 'tools/list' ? snapshot.exposedTools : snapshot.exposedPrompts)
      : visibleUris(ctx, snapshot, method);
  return resultBody(ctx, method, visible, { serverInfo: SERVER_INFO, missing: missingServers(ctx, snapshot) });
}

function visibleNames(ctx: CallContext, exposed: ReadonlyMap<string, ExposedEntry>): Buffer[] {
  const visible: Buffer[] = [];
  for (const { entry, exposedName, server } of exposed.values()) {
    if (isPermitted(ctx, server, entry)) visible.push(exposeEntry(listedEntry(ctx, server, entry), server.slug, exposedName));
  }
  return visible;
}

function visibleUris(ctx: CallContext, snapshot: CompiledSnapshot, method: ListMethod): Buffer[] {
  const visible: Buffer[] = [];
  for (const server of snapshot.serversBySlug.values()) {
    for (const entry of entriesOf(server, method)) {
      if (isPermitted(ctx, server, entry)) visible.push(exposeEntry(entry, server.slug, exposedUri(server.slug, entry.name)));
    }
  }
  return visible;
}

/** Servers that the caller may use but whose catalogue is not known yet: said, so that nobody takes a short list for the whole. */
function missingServers(ctx: CallContext, snapshot: CompiledSnapshot): Record<string, { status: string }> | null {
  const missing: Record<string, { status: string }> = {};
  for (const server of snapshot.serversBySlug.values()) {
    if (server.catalogue === null && isPermitted(ctx, server, { kind: 'server', name: server.slug }))
      missing[server.slug] = { status: 'not discovered' };
  }
  return Object.keys(missing).length === 0 ? null : missing;
}

type Extras = { readonly serverInfo: unknown; readonly missing: Record<string, { status: string }> | null };

function resultBody(ctx: CallContext, method: ListMethod, entries: readonly Buffer[], { serverInfo, missing }: Extras): Buffer {
  const meta: Record<string, unknown> = {};
  if (missing !== null) meta[SERVERS_META_KEY] = missing;
  if (ctx.era === 'modern') meta[SERVER_INFO_META_KEY] = serverInfo;
  // A list filtered by permission is private to its caller, and none is announced when it changes: no time to live.
  const modern = ctx.era === 'modern' ? ',"resultType":"complete","ttlMs":0,"cacheScope":"private"' : '';
  const tail = Object.keys(meta).length === 0 ? '' : `,"_meta":${JSON.stringify(meta)}`;
  const pieces: Buffer[] = [Buffer.from(`{"${LIST_MEMBERS[method]}":[`)];
  for (const [index, entry] of entries.entries()) {
    if (index > 0) pieces.push(COMMA);
    pieces.push(entry);
  }
  pieces.push(Buffer.from(`]${modern}${tail}}`));
  return Buffer.concat(pieces);
}

const COMMA = Buffer.from(',');
