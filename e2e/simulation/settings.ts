import type { StateDeps } from '../../apps/gateway/dist/snapshot/make-state.js';

/** What a test breaks on purpose, to see that it is noticed. */
export type Mutation = (deps: StateDeps) => StateDeps;

export const STALENESS_BUDGET_MS = 300_000;
