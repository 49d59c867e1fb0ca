import type { OrganisationId } from '@patchbay/contracts';
import { isAfter, type Position } from '../snapshot/position.ts';

/** The highest position of each organisation that a control plane said exists: nothing below it is loaded. Kept for as long as the process. */
export type Floors = {
  /** Whether it is higher than what was known. */
  raise(organisationId: OrganisationId, position: Position): boolean;
  get(organisationId: OrganisationId): Position | null;
};

/** Whether more is known to exist. Control planes reckon with it that such a position is not loaded. */
export function isOutdated(floors: Floors, organisationId: OrganisationId, position: Position): boolean {
  const known = floors.get(organisationId);
  return known !== null && isAfter(known, position);
}

export function makeFloors(): Floors {
  const known = new Map<OrganisationId, Position>();
  return {
    raise(organisationId, { epoch, revision }) {
      if (!isAfter({ epoch, revision }, known.get(organisationId) ?? null)) return false;
      known.set(organisationId, { epoch, revision });
      return true;
    },
    get: (organisationId) => known.get(organisationId) ?? null,
  };
}
