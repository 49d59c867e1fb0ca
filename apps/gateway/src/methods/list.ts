import { refusal } from '@patchbay/errors';
import { fingerprint } from '@patchbay/policy';
import { isPermitted } from '../aggregate/is-permitted.ts';
import type { CallContext, Outcome } from '../pipeline/context.ts';
import { ANSWERED } from '../pipeline/context.ts';
import { respondResult } from '../pipeline/respond.ts';
import type { CompiledServer, CompiledSnapshot, ComposedList, ListedEntry } from '../snapshot/compiled.ts';
import { fitProfile, profileAt, type Relieved } from './client-profile.ts';
import { declaredCapabilities } from './declared-capabilities.ts';
import type { ListCursors } from './list-cursors.ts';
import { LIST_KINDS, type ListMethod, liveEntries, type Viewer, visibleEntries } from './list-entries.ts';
import type { LiveLists } from './live-lists.ts';
import { LEFT_OUT_META_KEY, SERVER_INFO, SERVER_INFO_META_KEY, SERVERS_META_KEY } from './self.ts';
import { listTtlMs, type ServerReport, whatHappened } from './server-reports.ts';

/** Composed lists kept per snapshot; one is made again when it fell out. */
const LISTS_MAX = 512;
/** Many clients never ask for a second page. */
const PAGE_ENTRIES_MAX = 1_000;
/** The key of an entry begins with its server's id. */
const SERVER_ID_LENGTH = 36;
const NAMED_MAX = 20;
const NONE: readonly CompiledServer[] = [];

export type ListDeps = { readonly cursors: ListCursors; readonly lives: Pick<LiveLists, 'read'> };

/**
 * Answers a list from the snapshot: the upstreams' own bytes, filtered by the same `decide` that guards calls. The first list of a
 * permission set is composed, later ones are one lookup. Beyond the first page goes a sealed cursor of this caller and endpoint.
 */
export function makeList({ cursors, lives }: ListDeps): (ctx: CallContext, method: ListMethod) => Outcome | Promise<Outcome> {
  return function list(ctx: CallContext, method: ListMethod): Outcome | Promise<Outcome> {
    const { endpointServer, snapshot } = ctx;
    if (snapshot === null) return refusal('internal');
    if (endpointServer !== null && endpointServer.catalogue === null) return refusal('upstream.unreachable', notDiscovered(endpointServer));
    const live =
      endpointServer === null && snapshot.liveServers.length > 0
        ? snapshot.liveServers.filter((each) => isPermitted(ctx, each, { kind: 'server', name: each.slug }))
        : NONE;
    if (live.length === 0) return answer(ctx, method, composedList(ctx, snapshot, method));
    return composeWith(lives, { ctx, method, snapshot }, live).then((composed) => answer(ctx, method, composed));
  };

  function answer(ctx: CallContext, method: ListMethod, composed: ComposedList): Outcome {
    // The empty string is a cursor, and none of ours.
    const start = ctx.message?.cursorSpan === null ? 0 : cursors.open(ctx, method, composed.entries);
    if (start === null) return refusal('cursor.invalid');
    if (composed.whole !== null && start === 0) {
      respondResult(ctx, composed.whole);
      return ANSWERED;
    }
    const end = start + PAGE_ENTRIES_MAX;
    const next = composed.entries.length > end ? cursors.seal(ctx, method, { entries: composed.entries, end }) : null;
    const rest = next === null ? composed.rest : `${composed.rest},"nextCursor":${JSON.stringify(next)}`;
    respondResult(ctx, resultOf(method, composed.entries.slice(start, end), rest));
    return ANSWERED;
  }
}

type Listing = { readonly ctx: CallContext; readonly method: ListMethod; readonly snapshot: CompiledSnapshot };

/** The list with what live servers say themselves in the place of what discovery found, each at its own place. */
async function composeWith(
  lives: Pick<LiveLists, 'read'>,
  { ctx, method, snapshot }: Listing,
  live: readonly CompiledServer[],
): Promise<ComposedList> {
  const said = await Promise.all(live.map((server) => lives.read(ctx, server, method)));
  const viewer = { ctx, declared: declaredCapabilities(ctx) };
  const groups: Map<string, readonly ListedEntry[]> = Map.groupBy(othersOf(viewer, snapshot, method), ({ key }) =>
    key.slice(0, SERVER_ID_LENGTH),
  );
  const reports: Record<string, ServerReport> = {};
  for (const [index, { entries, isSilent }] of said.entries()) {
    const server = live[index];
    if (server === undefined) continue;
    const { leftOut, listed } = liveEntries(viewer, server, entries);
    groups.set(server.id, listed);
    if (isSilent) reports[server.slug] = { status: 'unreachable' };
    else if (leftOut.length > 0)
      reports[server.slug] = {
        status: 'incomplete',
        leftOut: `Names that cannot be called here: ${leftOut.slice(0, NAMED_MAX).join(', ')}.`,
      };
  }
  const visible = [...snapshot.serversBySlug.values()].flatMap(({ id }) => groups.get(id) ?? []);
  const { entries, leftOut } = fitProfile(visible, LIST_KINDS[method].kind, profileAt(ctx));
  const rest = restOf(ctx, snapshot, { method, leftOut, live: reports });
  return { entries, rest, whole: entries.length > PAGE_ENTRIES_MAX ? null : resultOf(method, entries, rest) };
}

/** What is visible of the servers whose lists are everybody's, made once for each set of permissions. */
function othersOf(viewer: Viewer, snapshot: CompiledSnapshot, method: ListMethod): readonly ListedEntry[] {
  const { principal, era } = viewer.ctx;
  if (principal === null) return [];
  const key = `others ${method} ${era} ${fingerprint(snapshot.grants, principal)} ${viewer.declared.join()}`;
  return remembered(snapshot, key, () => {
    const live = new Set<string>(snapshot.liveServers.map(({ id }) => id));
    const entries = visibleEntries(viewer, snapshot, method).filter((entry) => !live.has(entry.key.slice(0, SERVER_ID_LENGTH)));
    return { entries, rest: '', whole: null };
  }).entries;
}

function remembered(snapshot: CompiledSnapshot, key: string, compose: () => ComposedList): ComposedList {
  let composed = snapshot.listCache.get(key);
  if (composed === undefined) {
    composed = compose();
    if (snapshot.listCache.size >= LISTS_MAX) snapshot.listCache.clear();
    snapshot.listCache.set(key, composed);
  }
  return composed;
}

/** What a caller who may use the server is told until discovery has succeeded once. */
export function notDiscovered(server: CompiledServer): string {
  return `Server "${server.slug}" has not answered discovery yet, so its tools are not known. Its catalogue in the API says why.`;
}

function composedList(ctx: CallContext, snapshot: CompiledSnapshot, method: ListMethod): ComposedList {
  const { endpointServer, era, principal } = ctx;
  if (principal === null) return { entries: [], rest: '', whole: null };
  const declared = declaredCapabilities(ctx);
  const profile = profileAt(ctx);
  const key = `${method} ${era} ${endpointServer?.id ?? ''} ${fingerprint(snapshot.grants, principal)} ${declared.join()} ${JSON.stringify(profile)}`;
  return remembered(snapshot, key, () => {
    const visible = visibleEntries({ ctx, declared }, snapshot, method);
    const { entries, leftOut } = fitProfile(visible, LIST_KINDS[method].kind, profile);
    const rest = restOf(ctx, snapshot, { method, leftOut, live: null });
    return { entries, rest, whole: entries.length > PAGE_ENTRIES_MAX ? null : resultOf(method, entries, rest) };
  });
}

/** The members after the entries: the same on each page of a list. */
function restOf(
  ctx: CallContext,
  snapshot: CompiledSnapshot,
  { leftOut, live, method }: { leftOut: Relieved | null; method: ListMethod; live: Record<string, ServerReport> | null },
): string {
  const happened = whatHappened(ctx, snapshot);
  const reports = live === null || Object.keys(live).length === 0 ? happened : { ...happened, ...live };
  const meta: Record<string, unknown> = {};
  if (reports !== null) meta[SERVERS_META_KEY] = reports;
  if (leftOut !== null) meta[LEFT_OUT_META_KEY] = leftOut;
  if (ctx.era === 'modern') meta[SERVER_INFO_META_KEY] = ctx.endpointServer?.catalogue?.serverInfo ?? SERVER_INFO;
  const { kind } = LIST_KINDS[method];
  // A list filtered by permission is private to its caller.
  const modern =
    ctx.era === 'modern'
      ? `,"resultType":"complete","ttlMs":${live === null ? listTtlMs(ctx, snapshot, kind) : 0},"cacheScope":"private"`
      : '';
  return Object.keys(meta).length === 0 ? modern : `${modern},"_meta":${JSON.stringify(meta)}`;
}

function resultOf(method: ListMethod, entries: readonly ListedEntry[], rest: string): Buffer {
  const pieces: Buffer[] = [Buffer.from(`{"${LIST_KINDS[method].member}":[`)];
  for (const [index, { definition }] of entries.entries()) {
    if (index > 0) pieces.push(COMMA);
    pieces.push(definition);
  }
  pieces.push(Buffer.from(`]${rest}}`));
  return Buffer.concat(pieces);
}

const COMMA = Buffer.from(',');
