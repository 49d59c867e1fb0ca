import { alignColumns } from '../../e2e/support/align-columns.ts';
import type { Line } from './figures.ts';

const COLUMNS = ['row', 'work', 'budget', 'measured', 'verdict'];

/** For people who read it in a terminal. */
export function renderTable(lines: readonly Line[]): string {
  return alignColumns([COLUMNS, ...lines.map(({ budget, name, text, verdict, work }) => [name, work, budget, text, verdict])]);
}
