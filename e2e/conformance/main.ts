import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parse } from 'yaml';
import { Platform } from '../support/platform.ts';
import { Baseline, compare, type Comparison, Exceptions } from './compare.ts';
import { startConformanceServer } from './fixture/conformance-server.ts';
import { renderMatrix, renderPage } from './report.ts';
import { startShim } from './shim.ts';
import { type Revision, REVISIONS, runSuite } from './suite.ts';

// `npm run conformance`: prints the matrix, and writes docs/conformance.md or exits with 1. `--only revision` while one is being looked into.
const { values } = parseArgs({ options: { only: { type: 'string' } } });
const print = (line: string): void => void process.stdout.write(`${line}\n`);
const here = (name: string): string => readFileSync(join(import.meta.dirname, name), 'utf8');
const SERVER = 'conformance';

async function compareAll(revisions: readonly Revision[]): Promise<Comparison[]> {
  const exceptions = Exceptions.parse(parse(here('exceptions.yaml')));
  const baseline = Baseline.parse(JSON.parse(here('baseline.json')));
  const fixture = await startConformanceServer();
  const platform = await Platform.prepare();
  const shim = await startShim({ port: platform.ports.gateway, token: () => platform.facts.token });
  try {
    await platform.up();
    await platform.register(SERVER, fixture.url);
    const throughUrl = new URL(new URL(platform.mcpUrl(SERVER)).pathname, shim.url).href;
    const comparisons: Comparison[] = [];
    for (const revision of revisions) {
      print(`${revision}: direct, then through ${throughUrl} …`);
      const direct = await runSuite(fixture.url, revision);
      const through = await runSuite(throughUrl, revision);
      comparisons.push(compare({ revision, direct, through }, exceptions, baseline));
    }
    return comparisons;
  } finally {
    await Promise.all([platform.dispose(), shim.close(), fixture.close()]);
  }
}

const wanted = (Object.keys(REVISIONS) as Revision[]).filter((revision) => values.only === undefined || revision === values.only);
if (wanted.length === 0) throw new Error(`--only takes one of ${Object.keys(REVISIONS).join(', ')}`);
const startedAt = performance.now();
const comparisons = await compareAll(wanted);
const breaches = comparisons.flatMap((each) => each.breaches);
print(`\n${renderMatrix(comparisons)}\n`);
for (const breach of breaches) print(`breach: ${breach}`);
print(
  `${breaches.length === 0 ? 'It holds' : `${breaches.length} breaches`} after ${((performance.now() - startedAt) / 1_000).toFixed(0)} s.`,
);
if (breaches.length === 0 && values.only === undefined) {
  writeFileSync(join(import.meta.dirname, '../../docs/conformance.md'), renderPage(comparisons));
  print('Wrote docs/conformance.md.');
}
process.exit(breaches.length === 0 ? 0 : 1);
