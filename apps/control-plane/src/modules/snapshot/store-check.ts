import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { Manifest, OrganisationEntry, type OrganisationId, type PartHash } from '@patchbay/contracts';
import { Platform } from '../../platform.ts';
import type { Position } from '../../prisma/index.ts';
import { SnapshotBuilder } from './snapshot-builder.ts';

const AT_ONCE = 16;

/** Where an organisation's manifest stands can be written by whoever writes to the stores: this looks at what stands there. */
@Injectable()
export class StoreCheck {
  constructor(
    private readonly platform: Platform,
    private readonly builder: SnapshotBuilder,
  ) {}

  /**
   * Whether the stores hold a manifest of ours, not older than this position, and the organisation's entry. Parts that are not what their
   * hash says, or are gone, are written again here: publishing leaves alone what is there.
   */
  async isGenuine({ organisationId, slug, epoch, revision }: Position): Promise<boolean> {
    const { directory, parts } = this.platform.stores;
    const manifest = Manifest.safeParse(await this.#opened('manifest', await parts.getManifest(organisationId))).data;
    if (manifest?.organisationId !== organisationId || manifest.epoch < epoch) return false;
    if (manifest.epoch === epoch && manifest.revision < revision) return false;
    const hashes = manifest.parts.map(({ hash }) => hash);
    for (let from = 0; from < hashes.length; from += AT_ONCE) await this.#mend(organisationId, hashes.slice(from, from + AT_ONCE));
    const entry = OrganisationEntry.safeParse(await this.#opened('organisationEntry', await directory.getOrganisation(slug))).data;
    return entry?.organisationId === organisationId && entry.slug === slug;
  }

  async #mend(organisationId: OrganisationId, hashes: readonly PartHash[]): Promise<void> {
    const { parts } = this.platform.stores;
    const stored = await parts.getParts(organisationId, hashes);
    for (const hash of hashes) {
      const found = stored.get(hash);
      if (found !== undefined && createHash('sha256').update(found).digest().equals(Buffer.from(hash, 'hex'))) continue;
      const bytes = await this.builder.presentPart(organisationId, hash);
      if (bytes === null) continue;
      this.platform.logger.warn({ organisationId, hash }, 'a part in the stores was not the one that we stored; it is written again');
      await parts.putParts(organisationId, [{ hash, bytes }]);
    }
  }

  async #opened(kind: 'manifest' | 'organisationEntry', jws: string | null): Promise<unknown> {
    return jws === null ? null : this.platform.signer.open(kind, jws);
  }
}
