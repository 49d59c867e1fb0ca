import type { OrganisationId } from '@patchbay/contracts';
import { isBelow, type Position } from './pod-registry.ts';

type Sight = Position & { readonly atMs: number };

const SIGHTS_MAX = 64;

/** When this process first saw which revision committed: never before it was. */
export class RevisionsSeen {
  readonly #sights = new Map<OrganisationId, Sight[]>();

  saw(organisationId: OrganisationId, { epoch, revision }: Position, nowMs: number): void {
    const sights = this.#sights.get(organisationId) ?? [];
    const last = sights.at(-1);
    if (last !== undefined && !isBelow(last, { epoch, revision })) return;
    this.#sights.set(organisationId, [...sights.slice(1 - SIGHTS_MAX), { epoch, revision, atMs: nowMs }]);
  }

  /** Null for one that was never seen. */
  since(organisationId: OrganisationId, position: Position): number | null {
    return this.#sights.get(organisationId)?.find((sight) => !isBelow(sight, position))?.atMs ?? null;
  }
}
