import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ENV } from '@patchbay/contracts';
import { startModernUpstream } from '@patchbay/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Platform } from './support/platform.ts';
import { callModern } from './support/raw.ts';
import { parseMetrics, scrape, type Exported } from './support/scrape.ts';

const PAGE = join(import.meta.dirname, '../docs/operations/metrics.md');
const PROGRAMS = [
  ['gateway', ENV.adminPort],
  ['control-plane', ENV.internalPort],
  ['stdio-host', ENV.stdioHostPort],
] as const;

let platform: Platform;
let upstream: Awaited<ReturnType<typeof startModernUpstream>>;
const exported = new Map<string, Exported>();

beforeAll(async () => {
  [platform, upstream] = await Promise.all([Platform.start(), startModernUpstream()]);
  await platform.register('counted', upstream.url);
  await callModern(platform.mcpUrl('counted'), platform.facts.token, 'tools/call', { name: 'echo', arguments: { message: 'x' } });
  for (const [program, portVariable] of PROGRAMS)
    for (const [name, metric] of parseMetrics(await scrape(platform.home, program, portVariable))) exported.set(name, metric);
});

afterAll(async () => {
  await Promise.all([platform.dispose(), upstream.close()]);
});

/** The page's row of a metric: what it has to say. */
function rowOf(name: string, { type, help, labels }: Exported, documented: string | undefined): string {
  // A family without a series in this run shows no labels: there the page's word stands.
  const shown = labels === null ? documented?.split(' | ')[2] : labels.map((label) => `\`${label}\``).join(', ');
  return `| \`${name}\` | ${type} | ${shown ?? ''} | ${help} |`;
}

test('docs/operations/metrics.md lists every metric of ours as the programs export it, and none that they do not', () => {
  const rows = [...readFileSync(PAGE, 'utf8').matchAll(/^\| `((?:patchbay|process|nodejs)_[a-z_]+)` \|.*$/gm)];
  const documented = new Map(rows.map(([row, name = '']) => [name, row]));
  const ours = [...exported].filter(([name]) => name.startsWith('patchbay_'));
  expect(ours.length).toBeGreaterThan(40);
  const wanted = [...exported].filter(([name]) => name.startsWith('patchbay_') || documented.has(name));
  expect([...documented.values()].sort()).toEqual(wanted.map(([name, metric]) => rowOf(name, metric, documented.get(name))).sort());
});

test('each program says what it is', async () => {
  for (const [program, portVariable] of PROGRAMS)
    expect(await scrape(platform.home, program, portVariable)).toMatch(
      new RegExp(`^patchbay_build_info\\{program="${program}",version="[0-9.]+"\\} 1$`, 'm'),
    );
});
