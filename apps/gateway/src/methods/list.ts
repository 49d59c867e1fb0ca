import { refusal } from '@patchbay/errors';
import { fingerprint } from '@patchbay/policy';
import type { CallContext, Outcome } from '../pipeline/context.ts';
import { ANSWERED } from '../pipeline/context.ts';
import { respondResult } from '../pipeline/respond.ts';
import type { CompiledServer, CompiledSnapshot, ComposedList, ListedEntry } from '../snapshot/compiled.ts';
import { fitProfile, profileAt, type Relieved } from './client-profile.ts';
import { declaredCapabilities } from './declared-capabilities.ts';
import type { ListCursors } from './list-cursors.ts';
import { LIST_KINDS, type ListMethod, visibleEntries } from './list-entries.ts';
import { LEFT_OUT_META_KEY, SERVER_INFO, SERVER_INFO_META_KEY, SERVERS_META_KEY } from './self.ts';
import { listTtlMs, whatHappened } from './server-reports.ts';

/** Composed lists kept per snapshot; one is made again when it fell out. */
const LISTS_MAX = 512;
/** Many clients never ask for a second page. */
const PAGE_ENTRIES_MAX = 1_000;

/**
 * Answers a list from the snapshot: the upstreams' own bytes, filtered by the same `decide` that guards calls. The first list of a
 * permission set is composed, later ones are one lookup. Beyond the first page goes a sealed cursor of this caller and endpoint.
 */
export function makeList(cursors: ListCursors): (ctx: CallContext, method: ListMethod) => Outcome {
  return function list(ctx: CallContext, method: ListMethod): Outcome {
    const { endpointServer, message, snapshot } = ctx;
    if (snapshot === null || message === null) return refusal('internal');
    if (endpointServer !== null && endpointServer.catalogue === null) return refusal('upstream.unreachable', notDiscovered(endpointServer));
    const composed = composedList(ctx, snapshot, method);
    // The empty string is a cursor, and none of ours.
    const start = message.cursorSpan === null ? 0 : cursors.open(ctx, method, composed.entries);
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
  };
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
  let composed = snapshot.listCache.get(key);
  if (composed === undefined) {
    const visible = visibleEntries({ ctx, declared }, snapshot, method);
    const { entries, leftOut } = fitProfile(visible, LIST_KINDS[method].kind, profile);
    const rest = restOf(ctx, snapshot, { method, leftOut });
    composed = { entries, rest, whole: entries.length > PAGE_ENTRIES_MAX ? null : resultOf(method, entries, rest) };
    if (snapshot.listCache.size >= LISTS_MAX) snapshot.listCache.clear();
    snapshot.listCache.set(key, composed);
  }
  return composed;
}

/** The members after the entries: the same on each page of a list. */
function restOf(
  ctx: CallContext,
  snapshot: CompiledSnapshot,
  { leftOut, method }: { leftOut: Relieved | null; method: ListMethod },
): string {
  const reports = whatHappened(ctx, snapshot);
  const meta: Record<string, unknown> = {};
  if (reports !== null) meta[SERVERS_META_KEY] = reports;
  if (leftOut !== null) meta[LEFT_OUT_META_KEY] = leftOut;
  if (ctx.era === 'modern') meta[SERVER_INFO_META_KEY] = ctx.endpointServer?.catalogue?.serverInfo ?? SERVER_INFO;
  const { kind } = LIST_KINDS[method];
  // A list filtered by permission is private to its caller.
  const modern = ctx.era === 'modern' ? `,"resultType":"complete","ttlMs":${listTtlMs(ctx, snapshot, kind)},"cacheScope":"private"` : '';
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
