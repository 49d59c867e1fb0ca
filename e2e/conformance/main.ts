import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { FORMS } from './forms.ts';
import { renderClients, renderMatrix, renderPage } from './report.ts';
import { runMatrix } from './run-matrix.ts';
import { REVISIONS, type Revision } from './suite.ts';

// `npm run conformance`: prints the matrix, and writes docs/conformance.md or exits with 1. `--only REVISION` and `--pods FORM` while one is being looked into.
const { values } = parseArgs({ options: { only: { type: 'string' }, pods: { type: 'string' } } });
const print = (line: string): void => void process.stdout.write(`${line}\n`);

const revisions = chosen('only', Object.keys(REVISIONS) as Revision[]);
const forms = chosen('pods', FORMS);
const startedAt = performance.now();
const { comparisons, clients, breaches } = await runMatrix({ forms, revisions, say: print });
print(`\n${renderMatrix(comparisons)}\n`);
if (clients.length > 0) print(`${renderClients(clients)}\n`);
for (const breach of breaches) print(`breach: ${breach}`);
const seconds = ((performance.now() - startedAt) / 1_000).toFixed(0);
print(`${breaches.length === 0 ? 'It holds' : `${breaches.length} breaches`} after ${seconds} s.`);
if (breaches.length === 0 && values.only === undefined && values.pods === undefined) {
  writeFileSync(join(import.meta.dirname, '../../docs/conformance.md'), renderPage(comparisons, clients));
  print('Wrote docs/conformance.md.');
}
process.exit(breaches.length === 0 ? 0 : 1);

/** All of them, or the one that the option names. */
function chosen<T extends string>(option: keyof typeof values, all: readonly T[]): readonly T[] {
  const found = all.filter((each) => values[option] === undefined || values[option] === each);
  if (found.length === 0) throw new Error(`--${option} takes one of ${all.join(', ')}`);
  return found;
}
