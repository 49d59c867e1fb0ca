import type { IncomingMessage } from 'node:http';
import { hashToken, parseToken, verifyTag, type TagKey } from '@patchbay/tokens';
import { type Refusal, refusal } from '@patchbay/errors';
import { REVOKED_HASH_LENGTH, type TokenHash } from '@patchbay/contracts';
import type { KnownToken, TokenDirectory } from '../directory/token-directory.ts';
import type { Clock } from '../snapshot/log.ts';
import type { CompiledSnapshot } from '../snapshot/compiled.ts';
import type { SnapshotStore } from '../snapshot/store.ts';
import type { CallContext, Outcome, Step } from './context.ts';
import { judgeLoaded } from './cross-origin.ts';

export type AuthenticateDeps = {
  readonly snapshots: SnapshotStore;
  readonly tokens: TokenDirectory;
  readonly tagKey: TagKey;
  readonly clock: Clock;
  /** Who asks, as far as limits of strangers go. */
  readonly clientAddress: (request: IncomingMessage) => string;
};

/** One refusal for every bad token and for every organisation that is not its own: strangers learn nothing (security.md §10). */
const INVALID = refusal('auth.invalid_token');
const UNAVAILABLE = refusal('auth.unavailable');
const STALE = refusal('staleness.exceeded');

/** Longer than any token of ours, so that nobody makes us hash a long header. */
const TOKEN_LENGTH_MAX = 256;
const PAT_PREFIX = 'pbpat_';

/**
 * Sets principal, token hash and snapshot from the headers alone, before a byte of body is read. Synchronous when
 * organisation and token are in memory: one SHA-256 and two map lookups. A token's tag is checked before anything is looked up.
 */
export function makeAuthenticate({ snapshots, tokens, tagKey, clock, clientAddress }: AuthenticateDeps): Step {
  function admit(ctx: CallContext, snapshot: CompiledSnapshot, tokenHash: TokenHash, token: KnownToken): Outcome {
    const refused = judgeToken(token, { snapshot, tokenHash, nowMs: clock.nowMs() });
    if (refused !== undefined) return refused;
    const unwelcome = judgeLoaded(ctx, snapshot);
    if (unwelcome !== undefined) return unwelcome;
    if (snapshots.stale(ctx.organisationSlug)) return STALE;
    ctx.principal = token.principal;
    ctx.tokenHash = tokenHash;
    ctx.snapshot = snapshot;
    return undefined;
  }

  async function lookUp(ctx: CallContext, tokenHash: TokenHash): Promise<Outcome> {
    const { organisationSlug } = ctx;
    const asker = { address: clientAddress(ctx.request), organisationSlug };
    const loaded = await snapshots.lookup(organisationSlug, asker);
    if (loaded.kind !== 'loaded') return loaded.kind === 'unknown' ? INVALID : UNAVAILABLE;
    const before = loaded.organisation.current();
    if (before !== null && isRevoked(before, tokenHash)) return INVALID;
    const answer = tokens.peek(tokenHash) ?? (await tokens.lookup(loaded.organisation.id, tokenHash, asker));
    if (answer.kind !== 'known') return answer.kind === 'invalid' ? INVALID : UNAVAILABLE;
    // Read after the lookup: what was swapped in or withdrawn meanwhile counts.
    const snapshot = loaded.organisation.current();
    return snapshot === null ? UNAVAILABLE : admit(ctx, snapshot, tokenHash, answer);
  }

  return function authenticate(ctx) {
    const text = bearerOf(ctx.request.rawHeaders);
    if (text === null) return INVALID;
    const tokenHash = hashToken(text);
    const snapshot = snapshots.current(ctx.organisationSlug);
    const known = snapshot === undefined ? undefined : tokens.peek(tokenHash);
    if (snapshot !== undefined && known !== undefined) return admit(ctx, snapshot, tokenHash, known);
    const parsed = parseToken(text);
    if (parsed === null || parsed.kind !== 'pbpat' || !verifyTag(parsed, tagKey)) return INVALID;
    return lookUp(ctx, tokenHash);
  };
}

type Presented = { readonly snapshot: CompiledSnapshot; readonly tokenHash: TokenHash; readonly nowMs: number };

/** Why a token that exists opens nothing of this organisation; undefined when it does. */
export function judgeToken(token: KnownToken, { snapshot, tokenHash, nowMs }: Presented): Refusal | undefined {
  if (token.principal.organisationId !== snapshot.organisationId || token.revoked) return INVALID;
  if (isRevoked(snapshot, tokenHash)) return INVALID;
  return token.expiresAtMs !== null && token.expiresAtMs <= nowMs ? INVALID : undefined;
}

/** Whatever the directory says of it: on an untrusted store its word may be an old one. */
function isRevoked({ revokedTokens }: CompiledSnapshot, tokenHash: TokenHash): boolean {
  return revokedTokens.size > 0 && revokedTokens.has(tokenHash.slice(0, REVOKED_HASH_LENGTH));
}

/** The personal access token of exactly one `Authorization: Bearer` header; Node's own view would hide a second one. */
function bearerOf(rawHeaders: readonly string[]): string | null {
  let value: string | null = null;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index];
    if (name === undefined || name.length !== 13 || name.toLowerCase() !== 'authorization') continue;
    if (value !== null) return null;
    value = rawHeaders[index + 1] ?? '';
  }
  if (value === null || value.length > TOKEN_LENGTH_MAX || value.slice(0, 7).toLowerCase() !== 'bearer ') return null;
  const text = value.slice(7).trimStart();
  return text.startsWith(PAT_PREFIX) ? text : null;
}
