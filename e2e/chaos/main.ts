import { availableParallelism, release } from 'node:os';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { check } from './check.ts';
import { renderPage, renderTable } from './report.ts';
import { runChaos } from './run-chaos.ts';

// `npm run chaos`: prints the table of one run and exits with 1 on a breach. `--only words` chooses faults while one is being looked into.
const { values } = parseArgs({
  options: { short: { type: 'boolean', default: false }, 'write-docs': { type: 'boolean', default: false }, only: { type: 'string' } },
});
const print = (line: string): void => void process.stdout.write(`${line}\n`);
const startedAt = performance.now();
const form = values.short ? 'short' : 'long';
const run = await runChaos({
  form,
  say: print,
  ...(values.only === undefined ? {} : { only: values.only }),
});
const { breaches, rows } = check(run);
const seconds = (performance.now() - startedAt) / 1_000;
print(`\n${renderTable(rows)}\n`);
for (const breach of breaches) print(`breach: ${breach}`);
print(`${breaches.length === 0 ? 'No breach' : `${breaches.length} breaches`} in ${seconds.toFixed(0)} s.`);
if (values['write-docs'] && breaches.length === 0) {
  const facts = {
    form,
    date: new Date().toISOString().slice(0, 10),
    machine: `${availableParallelism()} cores, Linux ${release()}`,
    seconds,
  };
  writeFileSync(join(import.meta.dirname, '../../docs/reliability.md'), renderPage(rows, facts));
  print('Wrote docs/reliability.md.');
}
process.exit(breaches.length === 0 ? 0 : 1);
