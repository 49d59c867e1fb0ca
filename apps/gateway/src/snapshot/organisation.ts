import type { Manifest, OrganisationId } from '@patchbay/contracts';
import { within } from '../directory/within.ts';
import { makeAwaited } from './awaited.ts';
import type { ChangeListener, SwapListener } from './changes.ts';
import { compileSnapshot, partsToFetch, type Compilation } from './compile.ts';
import { type Floors, isOutdated } from '../pod/floors.ts';
import type { CompiledSnapshot } from './compiled.ts';
import type { RefusalReason, SnapshotCounters } from './counters.ts';
import { makeCurrency, type AsOf } from './currency.ts';
import type { SnapshotDisk } from './disk.ts';
import { makeKeeper } from './keeper.ts';
import type { Clock, Log } from './log.ts';
import { comparePositions, isNewer, type Position } from './position.ts';
import { makeRefresher, type Attempt } from './refresher.ts';
import type { ManifestWanted, SnapshotSource, SourcedManifest, SourceName } from './source.ts';

/** One loaded organisation: its current snapshot, and the way to the next one. */
export type Organisation = {
  readonly id: OrganisationId;
  readonly slug: string;
  /** Synchronous; null until `load` has succeeded. */
  current(): CompiledSnapshot | null;
  loadedFrom(): SourceName | null;
  /**
   * One attempt: live, else the last good state on disk. False when neither can be had at or above what is known to exist; after one that
   * was overtaken, only what is newer counts.
   */
  load(): Promise<boolean>;
  /** A position is known to exist: fetches at once, and again for a while if it is not published yet. Ours again: reads it once. */
  want(position: Position): void;
  /** A position exists and will be published in a moment: fetches it if nobody has said so after a while. */
  expect(position: Position): void;
  /** Reads the live manifest and takes it if it is newer; whether the store gave one that is not older than ours. */
  compare(): Promise<boolean>;
  /** As far as is known, what is served was the newest at that moment; `onTrust`: by the stores alone, until a control plane says otherwise. */
  known(asOf: AsOf): void;
  /** A control plane said that at this moment there was nothing newer: fetches it when it is not what is served. */
  newestWas(position: Position, atMs: number): void;
  /** The last moment at which what is served is known to have been the newest. */
  currentAtMs(): number;
  /** What is served, and is on disk or held to by it: after a kill nothing below is served either. */
  promised(): Position | null;
  /** Since when a newer position has been known to exist; null when there is none. */
  behindSinceMs(): number | null;
  /** Resolves when nothing is being fetched or written. */
  settled(): Promise<void>;
  close(): void;
};

export type OrganisationDeps = {
  readonly source: SnapshotSource;
  readonly disk: SnapshotDisk;
  readonly changes: ChangeListener;
  readonly swapped: SwapListener;
  readonly counters: SnapshotCounters;
  readonly floors: Floors;
  readonly clock: Clock;
  readonly log: Log;
  readonly stalenessBudgetMs: number;
  /** A position is served from now on, also after a kill. */
  promised(organisationId: OrganisationId): void;
};

/** Until when everything was known: by control planes' clocks, and by ours, which are not compared with each other. */
type Known = { readonly epoch: number; readonly issuedAtMs: number; readonly currentMsAgo: number };

type Taken = 'taken' | 'malformed' | 'unavailable';

/** A manifest lists the invalidations of ten minutes; one minute is left for clocks that differ. */
const INVALIDATIONS_REACH_MS = 9 * 60_000;
/** How long a comparison waits for what it found: the next one must not wait for a source that hangs. */
const COMPARED_WITHIN_MS = 2_000;

export function makeOrganisation(identity: { id: OrganisationId; slug: string }, deps: OrganisationDeps): Organisation {
  const { id, slug } = identity;
  const { source, disk, changes, counters, clock, log } = deps;
  let compilation: Compilation | null = null;
  let from: SourceName | null = null;
  let highWater: Position | null = null;
  let closed = false;

  const refresher = makeRefresher({
    attempt,
    failed: (error) => log.error({ organisationId: id, organisation: slug, err: error }, 'fetching a revision failed'),
  });
  const current = (): CompiledSnapshot | null => compilation?.snapshot ?? null;
  const currency = makeCurrency(current, deps.stalenessBudgetMs);
  const keeper = makeKeeper(id, { ...deps, promised: () => void (closed || deps.promised(id)) });
  const awaited = makeAwaited(current, clock);
  const floor = (): Position | null => current() ?? highWater;
  const asking = (): ManifestWanted => ({ organisationId: id, slug, floor: floor(), target: awaited.target() });

  function refused(reason: RefusalReason, error: unknown): void {
    counters.refused[reason] += 1;
    log.error({ organisationId: id, organisation: slug, reason, err: error }, 'a revision was refused; the last good state stays');
  }

  async function take(sourced: SourcedManifest): Promise<Taken> {
    const { manifest } = sourced;
    const startedAt = performance.now();
    let before: CompiledSnapshot | null = null;
    const fetched = await source.parts(id, partsToFetch(manifest, compilation)).catch((error: unknown) => {
      refused('parts_unavailable', error);
      return null;
    });
    if (fetched === null) return 'unavailable';
    try {
      const next = await compileSnapshot(manifest, fetched, compilation);
      const knownAt = current() ?? (await previouslyKept(source, sourced));
      if (closed) return 'unavailable';
      tellChanges(changes, manifest, knownAt && { ...knownAt, currentMsAgo: clock.monotonicMs() - currency.surelyAtMs() });
      before = current();
      compilation = next;
    } catch (error) {
      refused('part_malformed', error);
      return 'malformed';
    }
    from = sourced.from;
    awaited.swapped();
    currency.swapped();
    counters.swaps += 1;
    counters.swapMs += performance.now() - startedAt;
    log.info({ organisationId: id, organisation: slug, epoch: manifest.epoch, revision: manifest.revision, from }, 'snapshot swapped in');
    keeper.keep(sourced, fetched);
    const after = current();
    if (before !== null && after !== null) deps.swapped(before, after);
    return 'taken';
  }

  async function load(): Promise<boolean> {
    highWater = await disk.highWater(id);
    const live = await source.manifest({ ...asking(), target: deps.floors.get(id) });
    if (isOfUse(live) && (await take(live)) === 'taken') return true;
    const kept = await source.kept(asking()).catch(() => null);
    if (!isOfUse(kept) || (await take(kept)) !== 'taken') return false;
    if (live !== null) want(live.manifest);
    return true;
  }

  function isOfUse(sourced: SourcedManifest | null): sourced is SourcedManifest {
    if (sourced === null) return false;
    const isUseful = !isOutdated(deps.floors, id, sourced.manifest);
    if (!isUseful) counters.refused.rollback += 1;
    return isUseful;
  }

  async function attempt(): Promise<Attempt> {
    const sourced = await source.manifest(asking());
    const taken = sourced !== null && isNewer(sourced.manifest, current()) ? await take(sourced) : 'unavailable';
    // What is malformed stays so: the next announcement or comparison tries again.
    return awaited.isDue() && taken !== 'malformed' ? 'again' : 'stop';
  }

  function want(position: Position): void {
    awaited.published(position);
    const served = current();
    if (served === null || comparePositions(position, served) >= 0) refresher.kick();
  }

  return {
    id,
    slug,
    current,
    loadedFrom: () => from,
    load,
    want,
    expect: (position) => awaited.expect(position, () => want(position)),
    async compare() {
      const sourced = await source.manifest({ ...asking(), target: null });
      if (sourced === null) return false;
      if (isNewer(sourced.manifest, current())) {
        want(sourced.manifest);
        await within(refresher.settled(), COMPARED_WITHIN_MS, undefined);
      }
      // A control plane that gives a manifest has not taken our report: it does not count on us, and its word does not stand for the stores'.
      return sourced.from === 'store';
    },
    known(asOf) {
      if (awaited.sinceMs() === null) currency.known(asOf);
    },
    newestWas(position, atMs) {
      if (!currency.newestWas(position, atMs)) want(position);
    },
    currentAtMs: currency.atMs,
    promised: keeper.promised,
    behindSinceMs: awaited.sinceMs,
    async settled() {
      await refresher.settled();
      await keeper.settled();
    },
    close() {
      closed = true;
      awaited.close();
      refresher.close();
    },
  };
}

/** What this pod knew of the organisation before it was loaded: decides whether invalidations were missed meanwhile. */
async function previouslyKept(source: SnapshotSource, { from, manifest }: SourcedManifest): Promise<Manifest | null> {
  if (from === 'disk') return manifest;
  const { organisationId, organisationSlug: slug } = manifest;
  return (await source.kept({ organisationId, slug, floor: null, target: null }).catch(() => null))?.manifest ?? null;
}

/** Invalidations first: what a newer revision withdraws must not be served beside its snapshot. */
function tellChanges(changes: ChangeListener, manifest: Manifest, known: Known | null): void {
  const { organisationId, issuedAtMs, invalidations } = manifest;
  // Revisions of two epochs cannot be compared, so nothing that is stamped with one outlives it.
  const gapMs = known === null ? Infinity : Math.min(issuedAtMs - known.issuedAtMs, known.currentMsAgo);
  const contiguous = known !== null && known.epoch === manifest.epoch && gapMs <= INVALIDATIONS_REACH_MS;
  if (!contiguous) changes.missed(organisationId);
  changes.invalidated(organisationId, invalidations);
}
