import type { Machine } from '../measure/machine.ts';
import type { Budget, Measured, Row } from '../rows/row.ts';

/** What became of a row. */
export type Verdict = 'holds' | 'missed' | 'not measured' | 'reported';

/** A measured line of the table. */
export type Line = {
  readonly name: string;
  readonly work: string;
  readonly budget: string;
  readonly bound: number | null;
  readonly figure: number | null;
  readonly text: string;
  readonly verdict: Verdict;
};

/** All that a run found out. */
export type Results = {
  readonly date: string;
  readonly commit: string;
  readonly machine: Machine;
  readonly seconds: number;
  /** Where the run was not an ordinary one: what was different. */
  readonly remarks: readonly string[];
  readonly lines: readonly Line[];
};

/** Work of each call that is still to be built; its place is kept free. `isBuilt` is set by whoever builds it. */
export const RESERVED = [
  { what: 'audit intent', isBuilt: false },
  { what: 'vaulted credentials', isBuilt: false },
] as const;

const RESERVED_SHARE = 0.05;

/** The bound that counts at present: 5 % below the budget while something that was reserved is not there yet. */
export function boundOf({ at, reserves = false }: Budget): number {
  return reserves && RESERVED.some(({ isBuilt }) => !isBuilt) ? at * (1 - RESERVED_SHARE) : at;
}

/** The line of a row. */
export function lineOf({ budget, name, work }: Row, { figure, text }: Measured): Line {
  const bound = budget === null ? null : boundOf(budget);
  const said = { name, work, budget: budget === null ? '' : budgetText(budget), bound, figure, text };
  if (figure === null) return { ...said, verdict: 'not measured' };
  if (budget === null || bound === null) return { ...said, verdict: 'reported' };
  return { ...said, verdict: holds(budget, figure, bound) ? 'holds' : 'missed' };
}

function holds({ is }: Budget, figure: number, bound: number): boolean {
  return is === 'at most' ? figure <= bound : figure >= bound;
}

function budgetText(budget: Budget): string {
  const bound = boundOf(budget);
  return bound === budget.at ? budget.text : `${budget.text} (${bound.toFixed(2)} for now)`;
}

/** The names of the rows that are past their budget. */
export function missed({ lines }: Results): readonly string[] {
  return lines.filter(({ verdict }) => verdict === 'missed').map(({ name }) => name);
}
