import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { missed, type Results } from './report/figures.ts';
import { renderPage } from './report/page.ts';
import { renderTable } from './report/table.ts';
import { runBench } from './run-bench.ts';

// `npm run bench`: prints the table. `--only ROW` (again for more), `--json`, `--check` exits with 1 past a budget, `--write` writes bench/results/ and the page.
const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    json: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '7' },
    seconds: { type: 'string', default: '2' },
    'burn-us': { type: 'string', default: '0' },
  },
});

const results = await runBench({
  only: values.only ?? null,
  pace: { rounds: Number(values.rounds), seconds: Number(values.seconds) },
  burnUs: Number(values['burn-us']),
  say: (line) => void process.stderr.write(`${line}\n`),
});
process.stdout.write(values.json ? `${JSON.stringify(results, null, 2)}\n` : `\n${renderTable(results.lines)}\n`);
if (values.write) writeResults(results);
const past = missed(results);
if (past.length > 0) process.stderr.write(`Past their budget: ${past.join(', ')}\n`);
process.exitCode = values.check && past.length > 0 ? 1 : 0;

/** What the page is made of, under its day and commit, and the page. */
function writeResults(written: Results): void {
  const folder = join(import.meta.dirname, 'results');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${written.date}-${written.commit}.json`), `${JSON.stringify(written, null, 2)}\n`);
  writeFileSync(join(import.meta.dirname, '../docs/performance.md'), renderPage(written));
}
