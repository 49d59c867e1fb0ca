import { alignColumns } from '../support/align-columns.ts';
import type { ClientComparison } from './client-side/compare-clients.ts';
import type { Comparison, Missing } from './compare.ts';

const COLUMNS = ['revision', 'upstream', 'pods', 'scenarios direct', 'through', 'checks direct', 'through', 'missing through'];

/** The matrix as it is printed, one line a cell of it. */
export function renderMatrix(comparisons: readonly Comparison[]): string {
  return alignColumns([COLUMNS, ...comparisons.map(cellsOf)]);
}

function cellsOf({ revision, upstream, form, direct, through, missing }: Comparison): string[] {
  return [revision, upstream, form, direct.scenarios, through.scenarios, direct.checks, through.checks, missing.length].map(String);
}

const HEAD = [
  '# Conformance',
  '',
  'The official suite (`@modelcontextprotocol/conformance`) against our own fixture server (`e2e/conformance/fixture`), first direct, then',
  'through the per-server endpoint. The column upstream says what the gateway has behind it: a server that speaks to both eras, or one that',
  'speaks only to clients with sessions (legacy) or only to those without (modern). The column pods says how the gateway runs: one pod, or',
  'three that each request reaches at random, each on a connection of its own, with the embedded stores (3) or with Redis (3-redis). What is',
  'missing is missing in each form. A scenario counts when every check in it passes; a warning or a skipped check has not passed. What fails',
  'direct is the extension for tasks, which the fixture does not have.',
  '',
  '`npm run conformance` wrote this page. It fails instead when a check that passes direct fails through without being listed in',
  '`e2e/conformance/exceptions.yaml`, when a listed one passes, and when fewer pass direct than `e2e/conformance/baseline.json` says.',
  '',
];

const CLIENT_COLUMNS = ['revision', 'scenario', 'client before it', 'checks direct', 'through', 'missing through'];
const CLIENT_HEAD = [
  '## The gateway as the client',
  '',
  'Those scenarios of the suite for clients that are about what a proxy does, against the server that the suite brings for each: the official',
  'client uses all that it offers, direct and with three gateways in between. The column client says which era it speaks to them; to the',
  'server they speak its own.',
  '',
];

/** docs/conformance.md of one run; without anything that differs from run to run. */
export function renderPage(comparisons: readonly Comparison[], clients: readonly ClientComparison[]): string {
  return [
    ...HEAD,
    lineOf(COLUMNS),
    lineOf(COLUMNS.map(() => '---')),
    ...comparisons.map(renderRow),
    '',
    ...CLIENT_HEAD,
    lineOf(CLIENT_COLUMNS),
    lineOf(CLIENT_COLUMNS.map(() => '---')),
    ...clients.map(renderClientRow),
    '',
    ...missingSection([...comparisons.flatMap(missingOf), ...clients.flatMap(clientMissingOf)]),
  ].join('\n');
}

/** One cell of the matrix as the page has it. */
export function renderRow(comparison: Comparison): string {
  return lineOf(cellsOf(comparison));
}

function lineOf(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function renderClientRow(comparison: ClientComparison): string {
  return lineOf(clientCellsOf(comparison));
}

/** The same as it is printed. */
export function renderClients(clients: readonly ClientComparison[]): string {
  return alignColumns([CLIENT_COLUMNS, ...clients.map(clientCellsOf)]);
}

function clientCellsOf({ client, direct, missing, scenario, through }: ClientComparison): string[] {
  return [scenario.revision, scenario.name, client, String(direct), String(through), String(missing.length)];
}

type MissingAt = Missing & { readonly row: string };

function missingOf({ missing, revision, upstream }: Comparison): MissingAt[] {
  return missing.map((each) => ({ ...each, row: `${revision} ${upstream}` }));
}

function clientMissingOf({ client, missing }: ClientComparison): MissingAt[] {
  return missing.map((each) => ({ ...each, row: `gateway as the client, ${client} before it` }));
}

/** Each reason once, with the rows it is about and the checks. */
function missingSection(all: readonly MissingAt[]): string[] {
  if (all.length === 0) return [];
  const byReason = Map.groupBy(all, ({ reason }) => reason ?? 'Not listed.');
  return [
    '## Not through the gateway',
    '',
    ...[...byReason].flatMap(([reason, missing]) => [
      `${reason} Rows: ${[...new Set(missing.map(({ row }) => row))].join(', ')}.`,
      '',
      ...[...new Set(missing.map(({ check }) => check))].map((check) => `- \`${check}\``),
      '',
    ]),
  ];
}
