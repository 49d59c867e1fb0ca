import { type EraDoubt, INTERNAL_PATHS, type OrganisationId } from '@patchbay/contracts';
import { LRUCache } from 'lru-cache';
import type { InternalPost } from '../credentials/resolver.ts';
import type { CompiledServer } from '../snapshot/compiled.ts';
import type { Upstream } from './upstreams.ts';

/** How control planes hear that a server answers as one of the other era than it was found to be of. */
export type EraDoubts = {
  /** Returns at once. One server is told of once in a while, however often it contradicts what is known of it. */
  doubt(organisationId: OrganisationId, server: Pick<CompiledServer, 'id' | 'generation'>): void;
};

export type EraDoubtsDeps = {
  readonly post: InternalPost;
  readonly clock: { monotonicMs(): number };
  readonly logger: { info(fields: object, message: string): void };
};

const AGAIN_AFTER_MS = 60_000;
const SERVERS_MAX = 5_000;
const LIMITS = { timeoutMs: 5_000, maxBytes: 64 * 1024 };
/** What a server of either era may say to a credential, a late answer or a storm. */
const NO_EVIDENCE: ReadonlySet<number> = new Set([401, 403, 408, 429]);

export function makeEraDoubts({ clock, logger, post }: EraDoubtsDeps): EraDoubts {
  const toldAtMs = new LRUCache<string, number>({ max: SERVERS_MAX });
  return {
    doubt(organisationId, { generation, id: serverId }) {
      const key = `${organisationId} ${serverId} ${generation}`;
      const nowMs = clock.monotonicMs();
      if (nowMs - (toldAtMs.get(key) ?? Number.NEGATIVE_INFINITY) < AGAIN_AFTER_MS) return;
      toldAtMs.set(key, nowMs);
      const doubt: EraDoubt = { organisationId, serverId, generation };
      logger.info({ organisationId, serverId }, 'a server answers as one of the other era than it was found to be of');
      // Where no control plane hears it, the daily look finds out.
      post(INTERNAL_PATHS.eraDoubts, JSON.stringify(doubt), LIMITS).catch(() => undefined);
    },
  };
}

/** To be told of each status by which a server refuses a whole message that every server of its era takes (protocol.md §2.1). */
export function doubtRefused({ eras, organisationId, server }: Pick<Upstream, 'eras' | 'organisationId' | 'server'>, status: number): void {
  if (status >= 400 && status < 500 && !NO_EVIDENCE.has(status)) eras.doubt(organisationId, server);
}
