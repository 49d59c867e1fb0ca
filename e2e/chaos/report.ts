import { alignColumns } from '../support/align-columns.ts';
import type { Row } from './check.ts';

const COLUMNS = [
  'fault',
  'calls',
  'failed on it',
  'failed elsewhere',
  'ran twice',
  'changes made',
  'revoked taken',
  'fullest window',
  'recovery',
];

/** The table's cells, one line a fault, for people who read it in a terminal. */
export function renderTable(rows: readonly Row[]): string {
  return alignColumns([COLUMNS, ...rows.map(cellsOf)]);
}

function cellsOf(row: Row): string[] {
  const { answered, confirmed, failed } = row.changes;
  return [
    row.name,
    String(row.calls),
    reasons(row.failedOnVictim),
    reasons(row.failedElsewhere),
    String(row.ranTwice),
    `${answered}, ${confirmed} confirmed${failed === 0 ? '' : `, ${failed} unanswered`}`,
    String(row.revokedAccepted),
    row.limitPeak === null ? '–' : `${Math.round(row.limitPeak * 100)} %`,
    row.recoveryMs === null ? 'never' : `${(row.recoveryMs / 1_000).toFixed(1)} s`,
  ];
}

function reasons(counts: ReadonlyMap<string, number>): string {
  if (counts.size === 0) return '0';
  return [...counts].map(([reason, count]) => `${count} × ${reason}`).join(', ');
}

export type Facts = { readonly form: string; readonly date: string; readonly machine: string; readonly seconds: number };

/** docs/reliability.md of one run. `isReliabilityPage` knows its shape. */
export function renderPage(rows: readonly Row[], { date, form, machine, seconds }: Facts): string {
  const cells = (line: readonly string[]): string => `| ${line.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [
    ...HEAD,
    `- Run of ${date} (${form} form), ${Math.round(seconds)} s, on ${machine}.`,
    '',
    cells(COLUMNS),
    cells(COLUMNS.map(() => '---')),
    ...rows.map((row) => cells(cellsOf(row))),
    '',
    ...FOOT,
  ].join('\n');
}

/** Whether a text is a page of this generator, whatever it measured: the same words, and a table of at least one full line. */
export function isReliabilityPage(text: string): boolean {
  const lines = text.split('\n');
  const from = lines.findIndex((line) => line.startsWith('| ---')) + 1;
  const measured = from === 0 ? [] : lines.slice(from, lines.indexOf('', from));
  const isFull = measured.length > 0 && measured.every((line) => line.split(/(?<!\\)\|/).length === COLUMNS.length + 2);
  const words = (all: readonly string[]): string =>
    all.filter((line) => !measured.includes(line) && !line.startsWith('- Run of ')).join('\n');
  const empty = renderPage([], { form: '', date: '', machine: '', seconds: 0 }).split('\n');
  return isFull && words(lines) === words(empty);
}

const HEAD = [
  '# Reliability',
  '',
  '<!-- Written by `npm run chaos -- --write-docs`: change e2e/chaos/report.ts, or measure again. -->',
  '',
  'Two control planes, three gateways and two stdio hosts on a real Postgres and a real Redis, behind a plain round-robin balancer. Official MCP',
  'clients of both protocol eras call tools all the time, on HTTP servers of both eras and on a stdio server; tokens are minted and revoked and a',
  'grant is given and withdrawn all the time. Then one fault after another. `npm run chaos` prints this table and fails on a breach;',
  '`npm run chaos -- --short` does some of it in less time, and runs with every `npm test`.',
  '',
];

const FOOT = [
  'What the columns say, and what is a breach:',
  '',
  '| column | what it says | breach |',
  '|---|---|---|',
  '| calls | tool calls and new connections of clients that ended in the phase | none was made |',
  '| failed on it | in flight on the process that died or stood still; a client sees an error once and decides itself | never |',
  '| failed elsewhere | any other failure, by reason | one |',
  '| ran twice | calls whose tool ran more than once, as the servers themselves counted | one |',
  '| changes | changes that the API answered; revocations among them that it confirmed as in force everywhere; what it did not answer was asked again | none in the whole run |',
  '| revoked taken | calls by a revoked token that a gateway took after it had refused it once, or after the API had confirmed the revocation; restarts included | one |',
  '| fullest window | calls let through in the fullest window of a limit | over 105 % (one call more for the window’s edge); while gateways cannot count together, over the limit for each of them |',
  '| recovery | from the end of the fault until every program is ready, and every gateway serves the newest revision and gives the right answer about each change | never |',
  '',
];
