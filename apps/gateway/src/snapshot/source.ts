import { createHash } from 'node:crypto';
import { Fault } from '@patchbay/errors';
import { Manifest, MANIFEST_FEATURES, type OrganisationId, type PartHash } from '@patchbay/contracts';
import type { Parts } from '@patchbay/ports';
import type { ControlPlane } from '../directory/control-plane.ts';
import { within } from '../directory/within.ts';
import type { PartRow } from './compile-parts.ts';
import type { RefusalReason } from './counters.ts';
import type { SnapshotDisk } from './disk.ts';
import type { Log } from './log.ts';
import { isAfter, type Position } from './position.ts';
import type { Verifier } from './verify.ts';

export type SourceName = 'store' | 'control-plane' | 'disk';
export type SourcedManifest = { readonly manifest: Manifest; readonly jws: string; readonly from: SourceName };

/** What a manifest must be to be looked at: of this organisation, not below `floor`; and when to stop asking further. */
export type ManifestWanted = {
  readonly organisationId: OrganisationId;
  readonly slug: string;
  readonly floor: Position | null;
  /** Ask the control plane too when the store's manifest is below this. */
  readonly target: Position | null;
};

/** Manifests, from the store, else the control plane, else the disk; parts from the disk first. Verified whoever gave them. */
export type SnapshotSource = {
  /** The highest acceptable one of the store's and the control plane's; null when neither has one. */
  manifest(wanted: ManifestWanted): Promise<SourcedManifest | null>;
  /** The one on disk, held to the same rules. */
  kept(wanted: ManifestWanted): Promise<SourcedManifest | null>;
  /** All of them, or a Fault. */
  parts(organisationId: OrganisationId, rows: readonly PartRow[]): Promise<Map<PartHash, Buffer>>;
};

type Source = (organisationId: OrganisationId, rows: readonly PartRow[]) => Promise<Map<PartHash, Buffer>>;

export type SnapshotSourceDeps = {
  readonly store: Parts;
  readonly controlPlane: ControlPlane;
  readonly disk: SnapshotDisk;
  readonly verifier: Verifier;
  readonly refused: (reason: RefusalReason) => void;
  readonly log: Log;
};

const STORE_TIMEOUT_MS = 1_000;
const STORE_PARTS_TIMEOUT_MS = 10_000;
const PARTS_AT_ONCE = 8;

export function makeSnapshotSource({ store, controlPlane, disk, verifier, refused, log }: SnapshotSourceDeps): SnapshotSource {
  async function accept(jws: string | null, from: SourceName, wanted: ManifestWanted): Promise<SourcedManifest | null> {
    if (jws === null) return null;
    const opened = await verifier.open('manifest', Manifest, jws);
    const reason = opened.ok ? unacceptable(opened.value, wanted) : opened.why;
    if (opened.ok && reason === null) return { manifest: opened.value, jws, from };
    refused(reason ?? 'shape');
    log.warn({ organisationId: wanted.organisationId, from, reason }, 'a manifest was refused');
    return null;
  }

  function unacceptable(manifest: Manifest, { organisationId, slug, floor }: ManifestWanted): RefusalReason | null {
    if (manifest.organisationId !== organisationId || manifest.organisationSlug !== slug) return 'other_organisation';
    if (manifest.needs.some((feature) => !MANIFEST_FEATURES.includes(feature))) return 'too_new';
    return floor !== null && isAfter(floor, manifest) ? 'rollback' : null;
  }

  /** Takes what is genuine over into `found`; the rows that are still missing. */
  function missingOf(
    organisationId: OrganisationId,
    rows: readonly PartRow[],
    found: Map<PartHash, Buffer>,
    given: ReadonlyMap<PartHash, Buffer>,
  ): PartRow[] {
    for (const { hash, kind, key } of rows) {
      const bytes = given.get(hash);
      if (bytes === undefined || found.has(hash)) continue;
      if (isGenuine(bytes, hash)) {
        found.set(hash, bytes);
      } else {
        refused('part_hash');
        log.warn({ organisationId, kind, key, hash }, 'a part was refused: its bytes are not what its hash says');
      }
    }
    return rows.filter((row) => !found.has(row.hash));
  }

  function fromDisk(organisationId: OrganisationId, rows: readonly PartRow[]): Promise<Map<PartHash, Buffer>> {
    return disk.parts(organisationId, hashesOf(rows)).catch(() => new Map());
  }

  /** A store that is slow is waited for again when the control plane has nothing either. */
  function askStore(organisationId: OrganisationId, rows: readonly PartRow[]): { soon: Source; late: Source } {
    const asked = within(store.getParts(organisationId, hashesOf(rows)), STORE_PARTS_TIMEOUT_MS, new Map<PartHash, Buffer>());
    return { soon: () => within(asked, STORE_TIMEOUT_MS, new Map()), late: () => asked };
  }

  async function fromControlPlane(organisationId: OrganisationId, rows: readonly PartRow[]): Promise<Map<PartHash, Buffer>> {
    const given = new Map<PartHash, Buffer>();
    const queue = [...rows];
    async function worker(): Promise<void> {
      for (let row = queue.pop(); row !== undefined; row = queue.pop()) {
        const asked = await controlPlane.part(organisationId, row.hash);
        if (asked.kind === 'found') given.set(row.hash, asked.value);
        // Nobody there: the others would only wait for their timeouts.
        if (asked.kind === 'unreachable') queue.length = 0;
      }
    }
    await Promise.all(Array.from({ length: PARTS_AT_ONCE }, worker));
    return given;
  }

  return {
    async manifest(wanted) {
      const { organisationId, target } = wanted;
      const stored = await accept(await within(store.getManifest(organisationId), STORE_TIMEOUT_MS, null), 'store', wanted);
      if (stored !== null && (target === null || !isAfter(target, stored.manifest))) return stored;
      const asked = await controlPlane.manifest(organisationId);
      const given = await accept(asked.kind === 'found' ? asked.value : null, 'control-plane', wanted);
      return given !== null && (stored === null || isAfter(given.manifest, stored.manifest)) ? given : stored;
    },
    async kept(wanted) {
      return accept(await disk.manifest(wanted.organisationId), 'disk', wanted);
    },
    async parts(organisationId, rows) {
      const found = new Map<PartHash, Buffer>();
      // The disk first: a hash names the same bytes everywhere, and a store that hangs must not delay what lies here.
      let missing = missingOf(organisationId, rows, found, await fromDisk(organisationId, rows));
      if (missing.length === 0) return found;
      const { soon, late } = askStore(organisationId, missing);
      for (const from of [soon, fromControlPlane, late]) {
        missing = missingOf(organisationId, missing, found, await from(organisationId, missing));
        if (missing.length === 0) return found;
      }
      throw new Fault('internal', `${missing.length} parts are nowhere to be had, the first is ${missing[0]?.hash ?? ''}`);
    },
  };
}

function hashesOf(rows: readonly PartRow[]): PartHash[] {
  return rows.map((row) => row.hash);
}

function isGenuine(bytes: Buffer, hash: PartHash): boolean {
  return createHash('sha256').update(bytes).digest().equals(Buffer.from(hash, 'hex'));
}
