import type { Invalidation, OrganisationId } from '@patchbay/contracts';
import type { CompiledSnapshot } from './compiled.ts';

/** What caches must hear of, in the order in which this pod learns it. Called synchronously, before a swap. */
export type ChangeListener = {
  /** These must be forgotten. The same ones come again with every manifest of the next minutes. */
  invalidated(organisationId: OrganisationId, invalidations: readonly Invalidation[]): void;
  /** Some may have been missed: whatever of this organisation was read before this moment may not be trusted. */
  missed(organisationId: OrganisationId): void;
};

/** Called synchronously after a swap of one organisation; must not throw. Not at its first load, before which nobody was served. */
export type SwapListener = (before: CompiledSnapshot, after: CompiledSnapshot) => void;

/** One listener that tells all of them, in order. */
export function allListeners(listeners: readonly ChangeListener[]): ChangeListener {
  return {
    invalidated: (organisationId, invalidations) => listeners.forEach((listener) => listener.invalidated(organisationId, invalidations)),
    missed: (organisationId) => listeners.forEach((listener) => listener.missed(organisationId)),
  };
}
