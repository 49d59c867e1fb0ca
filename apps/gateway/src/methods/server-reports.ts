import { isPermitted } from '../aggregate/is-permitted.ts';
import type { CallContext } from '../pipeline/context.ts';
import type { CompiledServer, CompiledSnapshot, EntryKind } from '../snapshot/compiled.ts';

/** What a list says of a server that is not all well: its entries are missing, old, or not all there. */
export type ServerReport = {
  readonly status: 'not discovered' | 'unreachable' | 'reference' | 'incomplete';
  /** ISO 8601: the moment of which the entries are. */
  readonly lastAnsweredAt?: string;
  readonly leftOut?: string;
};

/**
 * By slug, the servers of this endpoint of which something must be said, among those that the caller may use; null when there are
 * none. So that nobody takes a short list for the whole, or an old one for a new one.
 */
export function whatHappened(ctx: CallContext, snapshot: CompiledSnapshot): Record<string, ServerReport> | null {
  const reports: Record<string, ServerReport> = {};
  for (const server of serversOf(ctx, snapshot)) {
    const report = reportOn(server);
    if (report !== null) reports[server.slug] = report;
  }
  return Object.keys(reports).length === 0 ? null : reports;
}

/** A change of what somebody may use must show within this time, also to clients that listen for none. */
const TTL_MAX_MS = 60_000;

/** For how long a list may be kept: as the least patient server says; not at all where one says nothing, is missing or silent. */
export function listTtlMs(ctx: CallContext, snapshot: CompiledSnapshot, kind: EntryKind): number {
  let ttlMs = TTL_MAX_MS;
  for (const { catalogue, silentSince } of serversOf(ctx, snapshot)) {
    ttlMs = silentSince === null ? Math.min(ttlMs, catalogue?.ttlMs[kind] ?? 0) : 0;
    if (ttlMs === 0) break;
  }
  return ttlMs;
}

function serversOf(ctx: CallContext, snapshot: CompiledSnapshot): readonly CompiledServer[] {
  if (ctx.endpointServer !== null) return [ctx.endpointServer];
  return [...snapshot.serversBySlug.values()].filter((server) => isPermitted(ctx, server, { kind: 'server', name: server.slug }));
}

function reportOn({ catalogue, catalogueMode, isOfCredential, silentSince }: CompiledServer): ServerReport | null {
  if (catalogue === null) return { status: 'not discovered' };
  const leftOut = catalogue.leftOut === null ? {} : { leftOut: catalogue.leftOut };
  if (silentSince !== null) return { status: 'unreachable', lastAnsweredAt: silentSince, ...leftOut };
  // The caller's own list could not be had in time.
  if (catalogueMode === 'per-credential' && isOfCredential !== true) return { status: 'reference', ...leftOut };
  return catalogue.leftOut === null ? null : { status: 'incomplete', ...leftOut };
}
