import { LRUCache } from 'lru-cache';
import { TokenEntry, type Invalidation, type OrganisationId, type Principal, type TokenHash } from '@patchbay/contracts';
import type { Directory } from '@patchbay/ports';
import { equalSecrets } from '@patchbay/tokens';
import type { ChangeListener } from '../snapshot/changes.ts';
import type { SnapshotCounters } from '../snapshot/counters.ts';
import type { Clock, Log } from '../snapshot/log.ts';
import type { Verifier } from '../snapshot/verify.ts';
import type { ControlPlane } from './control-plane.ts';
import type { TokenDiskCache } from './disk-cache.ts';
import type { MissBudget } from './miss-budget.ts';
import { makeRecentInvalidations } from './recent-invalidations.ts';
import { within } from './within.ts';

/** A token that exists. Its expiry is for the caller to check, on every call. */
export type KnownToken = {
  readonly kind: 'known';
  readonly principal: Principal;
  readonly expiresAtMs: number | null;
  readonly revoked: boolean;
  /** The revision at which this was true. */
  readonly revision: number;
};

/** `invalid`: known to be bad. `unavailable`: nobody can say, or too many are asking. */
export type TokenAnswer = KnownToken | { readonly kind: 'invalid' } | { readonly kind: 'unavailable' };

/** Who holds a token, by its hash. */
export type TokenDirectory = ChangeListener & {
  /** What memory holds: one map lookup. Of whichever organisation the token is: the caller compares. */
  peek(tokenHash: TokenHash): KnownToken | undefined;
  /** Asks directory, control plane and disk, in this order; one flight per token; ends within 3 s. Never rejects. */
  lookup(organisationId: OrganisationId, tokenHash: TokenHash, asker: Asker): TokenAnswer | Promise<TokenAnswer>;
};

export type Asker = { readonly address: string; readonly organisationSlug: string };

export type TokenDirectoryDeps = {
  readonly directory: Directory;
  readonly controlPlane: ControlPlane;
  readonly disk: TokenDiskCache;
  readonly verifier: Verifier;
  readonly misses: MissBudget;
  readonly counters: SnapshotCounters;
  readonly clock: Clock;
  readonly log: Log;
  /** Upper bound of each cache in memory; the default is for a whole pod. */
  readonly cacheMax?: number;
};

const KNOWN_MAX = 100_000;
const BAD_MAX = 20_000;
const BAD_FOR_MS = 2_000;
const STORE_TIMEOUT_MS = 1_000;
const LOOKUP_TIMEOUT_MS = 3_000;
const INVALID = { kind: 'invalid' } as const;
const UNAVAILABLE = { kind: 'unavailable' } as const;

type Question = { readonly organisationId: OrganisationId; readonly tokenHash: TokenHash };
type From = 'store' | 'control-plane' | 'disk';

const ATTEMPTS_MAX = 3;

export function makeTokenDirectory(deps: TokenDirectoryDeps): TokenDirectory {
  const { directory, controlPlane, disk, verifier, misses, counters, clock, log, cacheMax = KNOWN_MAX } = deps;
  const known = new LRUCache<TokenHash, KnownToken>({ max: cacheMax });
  const bad = new LRUCache<string, number>({ max: Math.min(cacheMax, BAD_MAX) });
  const flights = new Map<string, Promise<TokenAnswer>>();
  /** Raised when invalidations may have been missed: an answer that was asked for before counts no longer. */
  const generations = new Map<OrganisationId, number>();
  const invalidations = makeRecentInvalidations({ clock, overflowed: distrust });

  const generationOf = (organisationId: OrganisationId): number => generations.get(organisationId) ?? 0;

  function distrust(organisationId: OrganisationId): void {
    generations.set(organisationId, generationOf(organisationId) + 1);
    for (const [tokenHash, token] of known.entries()) {
      if (token.principal.organisationId === organisationId) known.delete(tokenHash);
    }
    disk.forget((kept) => kept.organisationId === organisationId);
  }

  function drop(organisationId: OrganisationId, invalidation: Invalidation): void {
    switch (invalidation.kind) {
      case 'token': {
        const { tokenHash, revision } = invalidation;
        bad.delete(`${organisationId}:${tokenHash}`);
        const token = known.peek(tokenHash);
        if (token !== undefined && token.revision < revision) known.delete(tokenHash);
        disk.forgetToken(tokenHash, revision);
        return;
      }
      case 'user': {
        const { userId, revision } = invalidation;
        for (const [tokenHash, token] of known.entries()) {
          const { principal } = token;
          if (principal.userId === userId && principal.organisationId === organisationId && token.revision < revision)
            known.delete(tokenHash);
        }
        disk.forget((kept) => kept.organisationId === organisationId && kept.userId === userId && kept.revision < revision);
        return;
      }
      case 'credential':
        return;
    }
  }

  /** A genuine entry for this question that nothing has withdrawn since; null when it is not one. */
  async function accept(
    question: Question,
    jws: string,
    readAt: { from: From; revision: number | null; generation: number },
  ): Promise<KnownToken | null> {
    const { organisationId, tokenHash } = question;
    const opened = await verifier.open('tokenEntry', TokenEntry, jws);
    if (!opened.ok || opened.value.organisationId !== organisationId || !equalSecrets(opened.value.tokenHash, tokenHash)) {
      counters.refused[opened.ok ? 'other_organisation' : opened.why] += 1;
      log.warn({ organisationId, from: readAt.from }, 'a token entry was refused');
      return null;
    }
    const { clientProfile, userId, tokenId, expiresAtMs, revoked } = opened.value;
    // A store's word on when it was read is not signed: there the entry's own stamp counts, or a dump of it could un-revoke.
    const revision = readAt.revision ?? opened.value.revision;
    const outdated =
      readAt.generation !== generationOf(organisationId) || invalidations.withdrawn(organisationId, { tokenHash, userId }, revision);
    if (outdated && !revoked) return null;
    const subjects = [`user:${userId}`, 'everyone'];
    const principal: Principal = { organisationId, userId, tokenId, subjects, ...(clientProfile === undefined ? {} : { clientProfile }) };
    const token: KnownToken = { kind: 'known', principal, expiresAtMs, revoked, revision };
    known.set(tokenHash, token);
    if (!revoked && readAt.from !== 'disk') disk.remember({ organisationId, tokenHash, userId, revision, jws });
    return token;
  }

  async function resolve(question: Question, attempt = 1): Promise<TokenAnswer> {
    const { organisationId, tokenHash } = question;
    const generation = generationOf(organisationId);
    const stored = await within(directory.getToken(organisationId, tokenHash), STORE_TIMEOUT_MS, null);
    if (stored !== null && stored.entry !== null) {
      const token = await accept(question, stored.entry, { from: 'store', revision: null, generation });
      if (token !== null) return token;
    }
    const askedAt = generationOf(organisationId);
    const asked = await controlPlane.token(organisationId, tokenHash);
    if (asked.kind === 'missing' || (asked.kind === 'found' && asked.value.entry === null)) {
      bad.set(`${organisationId}:${tokenHash}`, clock.monotonicMs() + BAD_FOR_MS);
      disk.forgetToken(tokenHash, Number.POSITIVE_INFINITY);
      return INVALID;
    }
    if (asked.kind === 'found' && asked.value.entry !== null) {
      const { entry, revision } = asked.value;
      const token = await accept(question, entry, { from: 'control-plane', revision, generation: askedAt });
      if (token !== null) return token;
      // Overtaken while it was under way, as on a pod that has just joined the bus: what is asked from now on counts.
      return attempt < ATTEMPTS_MAX ? resolve(question, attempt + 1) : UNAVAILABLE;
    }
    const kept = disk.get(organisationId, tokenHash);
    if (kept === undefined) return UNAVAILABLE;
    return (await accept(question, kept.jws, { from: 'disk', revision: kept.revision, generation: askedAt })) ?? UNAVAILABLE;
  }

  return {
    peek(tokenHash) {
      const token = known.get(tokenHash);
      if (token !== undefined) counters.tokenHits += 1;
      return token;
    },
    lookup(organisationId, tokenHash, asker) {
      const key = `${organisationId}:${tokenHash}`;
      const badUntilMs = bad.get(key);
      if (badUntilMs !== undefined && badUntilMs > clock.monotonicMs()) return INVALID;
      const flying = flights.get(key);
      if (flying !== undefined) return flying;
      if (!misses.take(asker.address, asker.organisationSlug)) {
        counters.missesLimited += 1;
        return UNAVAILABLE;
      }
      counters.tokenMisses += 1;
      const flight = within<TokenAnswer, TokenAnswer>(resolve({ organisationId, tokenHash }), LOOKUP_TIMEOUT_MS, UNAVAILABLE).finally(() =>
        flights.delete(key),
      );
      flights.set(key, flight);
      return flight;
    },
    invalidated(organisationId, all) {
      for (const invalidation of all) {
        if (invalidations.add(organisationId, invalidation)) drop(organisationId, invalidation);
      }
    },
    missed(organisationId) {
      // Of another epoch, maybe; those that still hold are told again right after.
      invalidations.forget(organisationId);
      distrust(organisationId);
    },
  };
}
