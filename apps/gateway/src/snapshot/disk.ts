import { join } from 'node:path';
import { Fault } from '@patchbay/errors';
import type { Manifest, OrganisationId, PartHash } from '@patchbay/contracts';
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
  /** The highest position ever kept; nothing below it may be served. */
  highWater(organisationId: OrganisationId): Promise<Position | null>;
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

export function makeSnapshotDisk({ folder, files }: { folder: string; files: Files }): SnapshotDisk {
  const pathOf = (organisationId: OrganisationId, ...rest: string[]): string => join(folder, organisationId, ...rest);

  async function highWater(organisationId: OrganisationId): Promise<Position | null> {
    return positionFrom(await files.read(pathOf(organisationId, 'high-water.json')));
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
      const mark = await highWater(organisationId);
      if (mark !== null && isAfter(mark, { epoch, revision })) return;
      await keepParts(state);
      // The manifest before the mark: killed in between, the disk holds a state above the mark, never a mark above the state.
      await files.writeAtomically(pathOf(organisationId, 'manifest.jws'), state.jws);
      await files.writeAtomically(pathOf(organisationId, 'high-water.json'), JSON.stringify({ epoch, revision }));
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
