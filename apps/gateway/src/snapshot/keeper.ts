import type { Manifest, OrganisationId } from '@patchbay/contracts';
import type { SnapshotCounters } from './counters.ts';
import type { PartBytes, SnapshotDisk } from './disk.ts';
import type { Log } from './log.ts';
import { isAfter, type Position } from './position.ts';
import type { SnapshotSource, SourcedManifest } from './source.ts';

/** Brings what is served of one organisation to the disk, one state after another. */
export type Keeper = {
  /** Of what came from the disk nothing is written. */
  keep(sourced: SourcedManifest, fetched: PartBytes): void;
  /** What was served, and is on disk or held to by it: after a kill nothing below is served either. */
  promised(): Position | null;
  settled(): Promise<void>;
};

export type KeeperDeps = {
  readonly source: SnapshotSource;
  readonly disk: SnapshotDisk;
  readonly counters: SnapshotCounters;
  readonly log: Log;
  /** `promised` is higher now. */
  promised(organisationId: OrganisationId): void;
};

export function makeKeeper(id: OrganisationId, deps: KeeperDeps): Keeper {
  const { source, disk, counters, log } = deps;
  let promised: Position | null = null;
  let keeping: Promise<void> = Promise.resolve();

  function promise({ epoch, revision }: Position): void {
    if (!isAfter({ epoch, revision }, promised)) return;
    promised = { epoch, revision };
    deps.promised(id);
  }

  async function write({ manifest, jws }: SourcedManifest, fetched: PartBytes): Promise<void> {
    const refetch = async (hashes: readonly string[]) => source.parts(id, rowsOf(manifest, hashes));
    try {
      await disk.keep({ manifest, jws, fetched, refetch });
    } catch (error) {
      counters.refused.disk += 1;
      log.error({ organisationId: id, organisation: manifest.organisationSlug, err: error }, 'the snapshot could not be kept on disk');
      // An older one may lie there: without a mark against it this pod cannot say that it is past it.
      if (!(await disk.raise([manifest]))) return;
    }
    promise(manifest);
  }

  return {
    keep(sourced, fetched) {
      if (sourced.from === 'disk') promise(sourced.manifest);
      else
        keeping = keeping
          .then(() => write(sourced, fetched))
          .catch((error: unknown) => log.error({ organisationId: id, err: error }, 'the disk cannot be used'));
    },
    promised: () => promised,
    settled: () => keeping,
  };
}

function rowsOf({ parts }: Manifest, hashes: readonly string[]): Manifest['parts'] {
  return parts.filter((row) => hashes.includes(row.hash));
}
