import type { Line, Results } from './figures.ts';

const COLUMNS = ['row', 'work', 'budget', 'measured', 'verdict'];

/** docs/performance.md of a run. `isPerformancePage` knows its shape. */
export function renderPage({ commit, date, lines, machine, remarks, seconds }: Results): string {
  const { cores, kernel, memoryGb, nginx, node, processor, wrk } = machine;
  return [
    ...HEAD,
    `- Run of ${date} at commit ${commit}, ${Math.round(seconds)} s.`,
    `- Machine: ${processor}, ${cores} cores, ${memoryGb} GB, Linux ${kernel}; Node ${node}, nginx ${nginx}, wrk ${wrk}.`,
    ...remarks.map((remark) => `- ${remark}`),
    '',
    cells(COLUMNS),
    cells(COLUMNS.map(() => '---')),
    ...lines.map((line) => cells(cellsOf(line))),
    '',
    ...FOOT,
  ].join('\n');
}

function cellsOf({ budget, name, text, verdict, work }: Line): readonly string[] {
  return [`\`${name}\``, work, budget, text, verdict === 'missed' ? '**missed**' : verdict];
}

function cells(line: readonly string[]): string {
  return `| ${line.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

const HEAD = [
  '# Performance',
  '',
  '<!-- Written by `npm run bench -- --write`: change bench/report/page.ts, or measure again. -->',
  '',
  'What a gateway costs beside programs that check nothing, on the same machine, in the same run, against the same upstream. Everything is on: tokens, the',
  'scan of bodies, grants on 1,000 servers with 50,000 tools, a rate limit, upstream credentials, metrics, and traces of one call in a hundred.',
  '',
];

const FOOT = [
  '## What is compared',
  '',
  '- **Cost** is processor time (user and system, of all threads, from the kernel) for each request. Yardstick and gateway take turns, round after round; a row',
  '  says the median of the ratios of all rounds, the lowest and the highest, and what a request of each cost. Ratios repeat on a machine that is shared;',
  '  microseconds do not.',
  '- The **bare proxy** (`bench/programs/bare-proxy.ts`) is `node:http` and undici: it reads a call, parses its JSON, sends it on and answers what came back. The streaming',
  '  proxy passes each piece on as it comes. A **ready buffer** is a `node:http` server that reads a request and answers bytes of the same size. nginx is Debian’s, as a plain',
  '  reverse proxy.',
  '- The upstream is nginx with a fixed answer, so that it never limits; one row has a server on the official SDK. Requests and answers have 1 KB where nothing else is said.',
  '- 64 callers with a token each call 64 servers in turn. The organisation is signed and written into the stores as a control plane does it, and verified by the gateway as',
  '  always ([why](decisions/0011-the-benchmark-signs-its-organisation.md)).',
  '- Of the budgets of calls that are served, 5 % are kept free for what is not built yet: the audit’s intent record and credentials of each user (`RESERVED` in',
  '  `bench/report/figures.ts`).',
  '- What a row says in milliseconds is to be believed of a quiet machine only.',
  '',
  '## Measure again',
  '',
  '```sh',
  'npm run bench                            # the table; as root on a Debian it installs nginx, wrk and redis-server where they are missing',
  'npm run bench -- --only call --check     # some rows; ends with 1 past a budget',
  'npm run bench -- --json                  # for programs',
  'npm run bench -- --write                 # also bench/results/ and this page',
  'npm run bench -- --only call --check --burn-us 30   # shows that it would be seen: 30 µs of processor time more for each request have to fail',
  'npm run bench:soak                       # ten minutes of mixed work; ends with 1 where memory grows',
  "node_modules/.bin/node bench/profile/main.ts --subject 'own endpoint'   # which functions the time of a call goes to",
  '```',
  '',
];

/** Whether a text is a page of this generator, whatever it measured: the same words, and a table of at least one full line. */
export function isPerformancePage(text: string): boolean {
  const lines = text.split('\n');
  const from = lines.findIndex((line) => line.startsWith('| ---')) + 1;
  const measured = from === 0 ? [] : lines.slice(from, lines.indexOf('', from));
  const isFull = measured.length > 0 && measured.every((line) => line.split(/(?<!\\)\|/).length === COLUMNS.length + 2);
  return isFull && text.startsWith(HEAD.join('\n')) && text.endsWith(FOOT.join('\n'));
}
