import type { Comparison } from './compare.ts';

const COLUMNS = ['revision', 'scenarios direct', 'through', 'checks direct', 'through', 'missing through'];

/** One line a revision, and below it what does not pass through us yet. */
export function renderMatrix(comparisons: readonly Comparison[]): string {
  const lines = [COLUMNS, ...comparisons.map(cellsOf)];
  const widths = COLUMNS.map((_, column) => Math.max(...lines.map((cells) => cells[column]!.length)));
  const aligned = lines.map((cells) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
  return [
    ...aligned,
    ...comparisons.flatMap(({ revision, missing }) =>
      missing.map(({ check, message, reason }) => `${revision} ${check}: ${reason === null ? 'NOT LISTED' : 'listed'} (${message})`),
    ),
  ].join('\n');
}

function cellsOf({ revision, direct, through, missing }: Comparison): string[] {
  return [revision, direct.scenarios, through.scenarios, direct.checks, through.checks, missing.length].map(String);
}

const HEAD = [
  '# Conformance',
  '',
  'The official suite (`@modelcontextprotocol/conformance`) against our own fixture server (`e2e/conformance/fixture`), first direct, then',
  'through the per-server endpoint of one gateway. The fixture speaks to both eras, and the gateway reaches it as a stateless server. A',
  'scenario counts when every check in it passes; a warning or a skipped check has not passed. What fails direct is the extension for tasks,',
  'which the fixture does not have.',
  '',
  '`npm run conformance` wrote this page. It fails instead when a check that passes direct fails through without being listed in',
  '`e2e/conformance/exceptions.yaml`, when a listed one passes, and when fewer pass direct than `e2e/conformance/baseline.json` says.',
  '',
];

/** docs/conformance.md of one run; without anything that differs from run to run. */
export function renderPage(comparisons: readonly Comparison[]): string {
  const cells = (line: readonly string[]): string => `| ${line.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [
    ...HEAD,
    cells(COLUMNS),
    cells(COLUMNS.map(() => '---')),
    ...comparisons.map((each) => cells(cellsOf(each))),
    '',
    ...comparisons.flatMap(missingSection),
  ].join('\n');
}

function missingSection({ revision, missing }: Comparison): string[] {
  if (missing.length === 0) return [];
  const byReason = Map.groupBy(missing, ({ reason }) => reason ?? 'Not listed.');
  return [
    `## Not yet through the gateway, ${revision}`,
    '',
    ...[...byReason].flatMap(([reason, checks]) => [reason, '', ...checks.map(({ check }) => `- \`${check}\``), '']),
  ];
}
