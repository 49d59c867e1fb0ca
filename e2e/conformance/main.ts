import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parse } from 'yaml';
import { Platform } from '../support/platform.ts';
import { Baseline, belowBaseline, compare, type Comparison, Exceptions, type Upstream, UPSTREAMS } from './compare.ts';
import { startConformanceServer } from './fixture/conformance-server.ts';
import { renderMatrix, renderPage } from './report.ts';
import { startShim } from './shim.ts';
import { type Revision, REVISIONS, runSuite } from './suite.ts';

// `npm run conformance`: prints the matrix, and writes docs/conformance.md or exits with 1. `--only revision` while one is being looked into.
const { values } = parseArgs({ options: { only: { type: 'string' } } });
const print = (line: string): void => void process.stdout.write(`${line}\n`);
const here = (name: string): string => readFileSync(join(import.meta.dirname, name), 'utf8');

type Findings = { readonly comparisons: Comparison[]; readonly breaches: string[] };

async function compareAll(revisions: readonly Revision[]): Promise<Findings> {
  const exceptions = Exceptions.parse(parse(here('exceptions.yaml')));
  const baseline = Baseline.parse(JSON.parse(here('baseline.json')));
  const [both, legacy, modern] = await Promise.all(UPSTREAMS.map((upstream) => startConformanceServer(upstream)));
  const fixtures = { both: both!, legacy: legacy!, modern: modern! } satisfies Record<Upstream, unknown>;
  const platform = await Platform.prepare();
  const shim = await startShim({ port: platform.ports.gateway, token: () => platform.facts.token });
  const through = (upstream: Upstream): string => new URL(new URL(platform.mcpUrl(`for-${upstream}`)).pathname, shim.url).href;
  try {
    await platform.up();
    for (const upstream of UPSTREAMS) await platform.register(`for-${upstream}`, fixtures[upstream].url);
    const findings: Findings = { comparisons: [], breaches: [] };
    for (const revision of revisions) {
      print(`${revision}: direct …`);
      const direct = await runSuite(fixtures.both.url, revision);
      findings.breaches.push(...belowBaseline(revision, direct, baseline));
      for (const upstream of UPSTREAMS) {
        print(`${revision}: through ${through(upstream)} …`);
        const comparison = compare({ revision, upstream, direct, through: await runSuite(through(upstream), revision) }, exceptions);
        findings.comparisons.push(comparison);
        findings.breaches.push(...comparison.breaches);
      }
    }
    return findings;
  } finally {
    await Promise.all([platform.dispose(), shim.close(), ...Object.values(fixtures).map((each) => each.close())]);
  }
}

const wanted = (Object.keys(REVISIONS) as Revision[]).filter((revision) => values.only === undefined || revision === values.only);
if (wanted.length === 0) throw new Error(`--only takes one of ${Object.keys(REVISIONS).join(', ')}`);
const startedAt = performance.now();
const { comparisons, breaches } = await compareAll(wanted);
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
