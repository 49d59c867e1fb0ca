import type { OrganisationId } from '@patchbay/contracts';
import type { Floors } from '../pod/floors.ts';
import type { SnapshotCounters } from './counters.ts';
import type { Log } from './log.ts';
import { isAfter, type Position } from './position.ts';
import type { ManifestWanted, SnapshotSource, SourcedManifest } from './source.ts';

export type LiveManifestDeps = {
  readonly source: SnapshotSource;
  readonly floors: Floors;
  readonly counters: SnapshotCounters;
  readonly log: Log;
};

/** Pauses while what is known to exist is being published. */
const RETRY_MS = [20, 50, 100, 200, 400];

/** Whether more is known to exist. Control planes reckon with it that such a position is not loaded. */
export function isOutdated(floors: Floors, organisationId: OrganisationId, position: Position): boolean {
  const known = floors.get(organisationId);
  return known !== null && isAfter(known, position);
}

/** The live manifest, waited for a moment when what exists is not published yet; null when only an older one can be had. */
export async function readLive(
  { counters, floors, log, source }: LiveManifestDeps,
  wanted: ManifestWanted,
): Promise<SourcedManifest | null> {
  const { organisationId, slug } = wanted;
  for (const pauseMs of [...RETRY_MS, null]) {
    const sourced = await source.manifest({ ...wanted, target: floors.get(organisationId) });
    if (sourced === null || !isOutdated(floors, organisationId, sourced.manifest)) return sourced;
    if (pauseMs !== null) await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  counters.refused.rollback += 1;
  const known = floors.get(organisationId);
  log.warn({ organisationId, organisation: slug, known }, 'only an older revision than is known to exist can be had');
  return null;
}
