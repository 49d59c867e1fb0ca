import type { OrganisationId, Revision } from '@patchbay/contracts';
import type { MissBudget } from '../directory/miss-budget.ts';
import type { CompiledSnapshot } from './compiled.ts';
import type { SnapshotCounters } from './counters.ts';
import type { Clock } from './log.ts';
import type { Organisation, OrganisationDeps } from './organisation.ts';
import { makeOrganisation } from './organisation.ts';
import type { Loaded, OrganisationLoaderDeps } from './organisation-loader.ts';
import { makeOrganisationLoader } from './organisation-loader.ts';
import { isOutdated } from '../pod/floors.ts';
import type { Position } from './position.ts';
import type { Staleness } from './staleness.ts';
import type { Asker } from '../directory/token-directory.ts';
import type { SourceName } from './source.ts';

/** Where one loaded organisation stands, for probes and metrics. */
export type OrganisationStatus = {
  readonly organisationId: OrganisationId;
  readonly slug: string;
  readonly epoch: number;
  readonly revision: Revision;
  readonly from: SourceName | null;
  /** How long a newer revision has been known to exist without being served; 0 when there is none. */
  readonly lagMs: number;
};

/** The loaded organisations. */
export type SnapshotStore = {
  /** Synchronous: the current snapshot of a loaded organisation. Read once per call. */
  current(slug: string): CompiledSnapshot | undefined;
  /** Loads it when it is not; limited per asker, unless it is on its way already; one flight per slug; never rejects. */
  lookup(slug: string, asker: Asker): Loaded | Promise<Loaded>;
  /**
   * Whether what is loaded may not be served: for longer than the staleness budget it is not known to be the newest. With news after that
   * it still is not served before a newer revision that exists is.
   */
  stale(slug: string): boolean;
  byId(organisationId: OrganisationId): Organisation | undefined;
  all(): readonly Organisation[];
  forgetUnknown(): void;
  /** Drops what no call has used for the idle time. */
  dropIdle(): void;
  status(): OrganisationStatus[];
  /** Every organisation that is held or on its way, the latter at position 0.0. */
  positions(): readonly (Position & { readonly organisationId: OrganisationId })[];
  /** Ends fetching and resolves when nothing is being written. */
  close(): Promise<void>;
};

export type SnapshotStoreDeps = Omit<OrganisationLoaderDeps, 'hold' | 'open'> &
  Omit<OrganisationDeps, 'promised'> & {
    /** This pod serves an organisation at this position from now on, also after a kill. */
    serves(organisationId: OrganisationId, position: Position): void;
    readonly misses: MissBudget;
    readonly staleness: Staleness;
    readonly counters: SnapshotCounters;
    readonly clock: Clock;
  };

type Held = { readonly organisation: Organisation; lastUsedAtMs: number };

const IDLE_MS = 60 * 60_000;
const NOWHERE = { epoch: 0, revision: 0 as Revision };
const UNAVAILABLE = { kind: 'unavailable' } as const;

export function makeSnapshotStore(deps: SnapshotStoreDeps): SnapshotStore {
  const { clock, counters, floors, misses, staleness, stalenessBudgetMs } = deps;
  const bySlug = new Map<string, Held>();
  const byId = new Map<OrganisationId, Held>();
  const loader = makeOrganisationLoader({ ...deps, hold, open: (identity) => makeOrganisation(identity, { ...deps, promised }) });

  function promised(organisationId: OrganisationId): void {
    const position = byId.get(organisationId)?.organisation.promised() ?? null;
    if (position !== null) deps.serves(organisationId, position);
  }

  function hold(organisation: Organisation): boolean {
    // What was announced while it was on its way counts: this pod has said that it will not load what it has loaded.
    if (isOutdated(floors, organisation.id, organisation.current() ?? NOWHERE)) return false;
    const fresh: Held = { organisation, lastUsedAtMs: clock.monotonicMs() };
    bySlug.set(organisation.slug, fresh);
    byId.set(organisation.id, fresh);
    // With news, nothing is loaded below what they named.
    organisation.known(staleness.known());
    promised(organisation.id);
    return true;
  }

  const lagMs = (organisation: Organisation): number => {
    const sinceMs = organisation.behindSinceMs();
    return sinceMs === null ? 0 : clock.monotonicMs() - sinceMs;
  };

  return {
    current(slug) {
      const held = bySlug.get(slug);
      if (held === undefined) return undefined;
      held.lastUsedAtMs = clock.monotonicMs();
      return held.organisation.current() ?? undefined;
    },
    lookup(slug, { address, organisationSlug }) {
      const held = bySlug.get(slug);
      if (held !== undefined) return { kind: 'loaded', organisation: held.organisation };
      const underWay = loader.underWay(slug);
      if (underWay !== undefined) return underWay;
      if (!misses.take(address, organisationSlug)) {
        counters.missesLimited += 1;
        return UNAVAILABLE;
      }
      return loader.load(slug);
    },
    stale(slug) {
      const held = bySlug.get(slug);
      if (held === undefined) return staleness.exceeded();
      return staleness.hasEnded() || clock.monotonicMs() - held.organisation.currentAtMs() > stalenessBudgetMs;
    },
    byId: (organisationId) => byId.get(organisationId)?.organisation,
    all: () => [...bySlug.values()].map((held) => held.organisation),
    forgetUnknown: () => loader.forgetUnknown(),
    dropIdle() {
      for (const [slug, { organisation, lastUsedAtMs }] of bySlug) {
        if (clock.monotonicMs() - lastUsedAtMs < IDLE_MS) continue;
        const served = organisation.current();
        if (served !== null) floors.raise(organisation.id, served);
        organisation.close();
        bySlug.delete(slug);
        byId.delete(organisation.id);
      }
    },
    status() {
      return [...bySlug.values()].flatMap(({ organisation }) => {
        const snapshot = organisation.current();
        if (snapshot === null) return [];
        const { epoch, revision } = snapshot;
        return [
          {
            organisationId: organisation.id,
            slug: organisation.slug,
            epoch,
            revision,
            from: organisation.loadedFrom(),
            lagMs: lagMs(organisation),
          },
        ];
      });
    },
    positions() {
      const held = [...byId].map(([organisationId, { organisation }]) => {
        const { epoch, revision } = organisation.promised() ?? NOWHERE;
        return { organisationId, epoch, revision };
      });
      const coming = [...loader.loading()].filter((id) => !byId.has(id)).map((organisationId) => ({ organisationId, ...NOWHERE }));
      return [...held, ...coming];
    },
    async close() {
      for (const { organisation } of bySlug.values()) organisation.close();
      await Promise.all([...bySlug.values()].map(({ organisation }) => organisation.settled()));
    },
  };
}
