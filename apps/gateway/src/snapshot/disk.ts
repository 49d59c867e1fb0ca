import { join } from 'node:path';
import { Fault } from '@patchbay/errors';
import type { Manifest, OrganisationId, PartHash } from '@patchbay/contracts';
import type { Floors } from '../pod/floors.ts';
import type { Files } from './files.ts';
import { isAfter, type Position } from './position.ts';

export type PartBytes = ReadonlyMap<PartHash, Buffer>;

/** One state to keep: `fetched` are the parts in memory, `refetch` gets those that neither memory nor disk holds. */
export type StateToKeep = {
  readonly manifest: Manifest;
  readonly jws: string;
  readonly fetched: PartBytes;
  refetch(hashes: readonly PartHash[]): Promise<PartBytes>;
};

/** The last good state of each organisation in `{folder}/{organisationId}`. What it reads is not verified yet. */
export type SnapshotDisk = {
  manifest(organisationId: OrganisationId): Promise<string | null>;
  /** Those that are there. */
  parts(organisationId: OrganisationId, hashes: readonly PartHash[]): Promise<Map<PartHash, Buffer>>;
  /** The highest position ever kept, or known to exist; nothing below it may be served. */
  highWater(organisationId: OrganisationId): Promise<Position | null>;
  /** These exist: of what is kept, nothing below them is served after a restart either. False when the disk does not take it. */
  raise(positions: readonly (Position & { readonly organisationId: OrganisationId })[]): Promise<boolean>;
  /** Keeps a state whole or not at all; the one before stays until it is complete. One at a time per organisation. */
  keep(state: StateToKeep): Promise<void>;
  organisation(slug: string): Promise<string | null>;
  keepOrganisation(slug: string, jws: string): Promise<void>;
};

function positionFrom(bytes: Buffer | null): Position | null {
  if (bytes === null) return null;
  const { epoch, revision } = JSON.parse(bytes.toString('utf8')) as Partial<Position>;
  if (!Number.isSafeInteger(epoch) || !Number.isSafeInteger(revision))
    throw new Fault('internal', 'the high-water mark on disk is unreadable');
  return { epoch, revision } as Position;
}

/** `floors`: what exists; what is kept while more is known to exist is outdated from the start. */
export type SnapshotDiskDeps = { readonly folder: string; readonly files: Files; readonly floors: Floors };

export function makeSnapshotDisk({ folder, files, floors }: SnapshotDiskDeps): SnapshotDisk {
  const pathOf = (organisationId: OrganisationId, ...rest: string[]): string => join(folder, organisationId, ...rest);
  const marking = new Map<OrganisationId, Promise<void>>();

  async function highWater(organisationId: OrganisationId): Promise<Position | null> {
    return positionFrom(await files.read(pathOf(organisationId, 'high-water.json')));
  }

  /** One at a time, so that a mark never goes back. */
  function mark(organisationId: OrganisationId, position: Position): Promise<void> {
    const next = (marking.get(organisationId) ?? Promise.resolve())
      .catch(() => undefined)
      .then(async () => {
        const known = floors.get(organisationId);
        const { epoch, revision } = known !== null && isAfter(known, position) ? known : position;
        if (!isAfter({ epoch, revision }, await highWater(organisationId))) return;
        await files.writeAtomically(pathOf(organisationId, 'high-water.json'), JSON.stringify({ epoch, revision }));
      });
    marking.set(organisationId, next);
    return next;
  }

  /** A full disk takes no mark, and lets go of a state all the same. */
  async function markOrForget(organisationId: OrganisationId, position: Position): Promise<boolean> {
    return mark(organisationId, position)
      .catch(() => files.remove(pathOf(organisationId, 'manifest.jws')))
      .then(
        () => true,
        () => false,
      );
  }

  async function present(organisationId: OrganisationId): Promise<Set<string>> {
    return new Set(await files.list(pathOf(organisationId, 'parts')).catch(() => []));
  }

  async function keepParts({ manifest, fetched, refetch }: StateToKeep): Promise<void> {
    const there = await present(manifest.organisationId);
    const missing = manifest.parts.map((part) => part.hash).filter((hash) => !there.has(hash));
    const lost = missing.filter((hash) => !fetched.has(hash));
    const again = lost.length === 0 ? new Map<PartHash, Buffer>() : await refetch(lost);
    for (const hash of new Set(missing)) {
      const bytes = fetched.get(hash) ?? again.get(hash);
      if (bytes === undefined) throw new Fault('internal', `part ${hash} is nowhere to be had`);
      await files.writeAtomically(pathOf(manifest.organisationId, 'parts', hash), bytes);
    }
  }

  async function removeOldParts({ organisationId, parts }: Manifest): Promise<void> {
    const wanted = new Set<string>(parts.map((part) => part.hash));
    for (const name of await present(organisationId)) {
      if (!wanted.has(name)) await files.remove(pathOf(organisationId, 'parts', name));
    }
  }

  return {
    highWater,
    async raise(positions) {
      if (positions.length === 0) return true;
      const kept = new Set(await files.list(folder));
      const outcomes = await Promise.all(
        positions.filter(({ organisationId }) => kept.has(organisationId)).map((each) => markOrForget(each.organisationId, each)),
      );
      return outcomes.every(Boolean);
    },
    async manifest(organisationId) {
      return (await files.read(pathOf(organisationId, 'manifest.jws')))?.toString('utf8') ?? null;
    },
    async parts(organisationId, hashes) {
      const found = new Map<PartHash, Buffer>();
      for (const hash of hashes) {
        const bytes = await files.read(pathOf(organisationId, 'parts', hash));
        if (bytes !== null) found.set(hash, bytes);
      }
      return found;
    },
    async keep(state) {
      const { organisationId, epoch, revision } = state.manifest;
      const highest = await highWater(organisationId);
      if (highest !== null && isAfter(highest, { epoch, revision })) return;
      await keepParts(state);
      // The manifest before the mark: killed in between, the disk holds a state above the mark, never a mark above the state.
      await files.writeAtomically(pathOf(organisationId, 'manifest.jws'), state.jws);
      await mark(organisationId, { epoch, revision });
      await removeOldParts(state.manifest);
    },
    async organisation(slug) {
      return (await files.read(join(folder, 'organisations', `${slug}.jws`)))?.toString('utf8') ?? null;
    },
    async keepOrganisation(slug, jws) {
      await files.writeAtomically(join(folder, 'organisations', `${slug}.jws`), jws);
    },
  };
}
