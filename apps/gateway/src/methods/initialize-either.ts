import { negotiateLegacy, sliceMember } from '@patchbay/mcp-wire';
import { LRUCache } from 'lru-cache';
import { within } from '../directory/within.ts';
import type { CallContext, Outcome, Step } from '../pipeline/context.ts';
import type { CompiledServer } from '../snapshot/compiled.ts';
import { closeSession } from '../upstream/open-session.ts';
import { answerForwarded, type Initialized, type InitializeForwardedDeps, openForwarded } from './initialize-forwarded.ts';

export type InitializeEitherDeps = InitializeForwardedDeps & {
  /** From the snapshot. */
  readonly initialize: Step;
};

/** A client that initialises waits for a server that it may do without. */
const TRY_MS = 2_000;
/** A server that keeps no sessions is not asked again for so long. */
const ASK_AGAIN_MS = 10 * 60_000;
const SERVERS_MAX = 5_000;
/** Longer ones would not fit into the client's session id. */
const SESSION_ID_CHARACTERS_MAX = 512;

/**
 * A legacy `initialize` at a server of revision 2026-07-28. Many such servers keep sessions with earlier clients too: then this one has a
 * session of its own there, and nothing is translated between the two. With the others, those that
 * do not answer in time and those that want another revision than the client, it is ours to bridge.
 */
export function makeInitializeEither(deps: InitializeEitherDeps): Step {
  const without = new LRUCache<string, true>({ max: SERVERS_MAX, ttl: ASK_AGAIN_MS });
  return async function initializeEither(ctx: CallContext): Promise<Outcome> {
    const server = ctx.target?.kind === 'builtin' ? ctx.target.server : null;
    if (server === null) return deps.initialize(ctx);
    const key = `${server.id} ${server.generation}`;
    const opened = without.has(key) ? null : await tryOpening(deps, ctx, server);
    if (opened === WITHOUT_SESSIONS) without.set(key, true);
    return opened === null || opened === WITHOUT_SESSIONS ? deps.initialize(ctx) : answerForwarded(deps, ctx, opened);
  };
}

const WITHOUT_SESSIONS = Symbol('without sessions');

/** null: nobody knows. */
async function tryOpening(
  deps: InitializeEitherDeps,
  ctx: CallContext,
  server: CompiledServer,
): Promise<Initialized | typeof WITHOUT_SESSIONS | null> {
  const opening = openForwarded(deps, ctx, server);
  const opened = await within(opening, TRY_MS, null);
  if (opened === null) {
    // Whatever it opens now is nobody's.
    void opening.then((late) => ('code' in late ? undefined : close(late))).catch(() => undefined);
    return null;
  }
  if ('code' in opened) return opened.code === 'upstream.broken' ? WITHOUT_SESSIONS : null;
  if (sessionIdOf(opened) === null) return WITHOUT_SESSIONS;
  // Of another revision than the client asked for: bridged, the client has its own.
  if (versionOf(opened) === negotiateLegacy(opened.facts.protocolVersion)) return opened;
  void close(opened);
  return null;
}

function sessionIdOf(initialized: Initialized): string | null {
  const id = initialized.asked.headers['mcp-session-id'];
  return versionOf(initialized) !== null && typeof id === 'string' && id.length <= SESSION_ID_CHARACTERS_MAX ? id : null;
}

function versionOf({ asked: { body, status } }: Initialized): string | null {
  const span = status < 300 ? sliceMember(body, ['result', 'protocolVersion']) : null;
  return span === null ? null : body.toString('utf8', span.start + 1, span.end - 1);
}

function close(late: Initialized): Promise<void> | undefined {
  const [id, protocolVersion] = [sessionIdOf(late), versionOf(late)];
  return id === null || protocolVersion === null
    ? undefined
    : closeSession(late.upstream, { id, protocolVersion, instance: late.way.instance });
}
