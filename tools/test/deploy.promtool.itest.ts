import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { expect, test } from 'vitest';
import { ROOT } from './support/checkout.ts';
import { dashboard, documentedMetrics, filledIn, panelsOf, read, rulesOf, seriesIn, type Used } from './support/deployment.ts';
import { promtool, temporaryFile } from './support/promtool.ts';

const RULE_FILES = ['recording.yaml', 'alerts.yaml'];
/** Labels that Prometheus itself adds to what it scrapes, or that histograms have. */
const OF_PROMETHEUS = new Set(['job', 'instance', 'le', 'alertname', 'alertstate', 'severity']);

const recorded = new Set(rulesOf('recording.yaml').map(({ record = '' }) => record));
const documented = documentedMetrics();

/** What none of our programs exports and no rule records, or a label that such a series does not have. */
function unknownIn({ name, labels }: Used): string[] {
  if (name === 'up' || name === 'ALERTS' || recorded.has(name)) return [];
  const metric = documented.get(name) ?? documented.get(name.replace(/_(bucket|sum|count)$/, ''));
  if (metric === undefined) return [name];
  return labels.filter((label) => !OF_PROMETHEUS.has(label) && !metric.labels.includes(label)).map((label) => `${name}{${label}}`);
}

test('rules and the example configuration are what Prometheus takes', async () => {
  for (const args of [
    ['check', 'rules', ...RULE_FILES],
    ['check', 'config', 'prometheus.yaml'],
  ]) {
    const { code, output } = await promtool(...args);
    expect(code, output).toBe(0);
  }
});

test('each alert fires when it should, alone, and no other time', async () => {
  const { code, output } = await promtool('test', 'rules', 'alerts.test.yaml');
  expect(code, output).toBe(0);
}, 240_000);

test('every alert is tested firing, and in every file of tests some situation is quiet', () => {
  const { tests } = parse(read('deploy/prometheus/alerts.test.yaml')) as {
    tests: { promql_expr_test: { exp_samples: { labels: string }[] }[] }[];
  };
  const samples = tests.flatMap(({ promql_expr_test: [check] }) => [check?.exp_samples ?? []]);
  const fired = new Set(samples.flat().map(({ labels }) => /alertname="(\w+)"/.exec(labels)?.[1]));
  expect(fired).toEqual(new Set(rulesOf('alerts.yaml').map(({ alert }) => alert)));
  expect(samples.filter((each) => each.length === 0).length).toBeGreaterThan(15);
});

test('a rule that does not parse, and an alert that does not fire, are found', async () => {
  const broken = 'groups:\n  - name: x\n    rules:\n      - alert: X\n        expr: sum(rate(up[5m])\n';
  expect((await promtool('check', 'rules', temporaryFile('broken.yaml', broken))).code).not.toBe(0);
  const { tests, ...rest } = parse(read('deploy/prometheus/alerts.test.yaml')) as { tests: { name: string }[] };
  const [down] = tests.filter(({ name }) => name === 'a program that cannot be scraped');
  const files = RULE_FILES.map((file) => join(ROOT, 'deploy/prometheus', file));
  const wrong = JSON.stringify({ ...rest, rule_files: files, tests: [down] }).replace('PatchbayTargetDown', 'PatchbayOutboxStuck');
  const { code, output } = await promtool('test', 'rules', temporaryFile('wrong.yaml', wrong));
  expect(code).not.toBe(0);
  expect(output).toContain('PatchbayTargetDown');
});

test('each alert says how urgent it is, what it means, and where to read on', () => {
  for (const { alert = '', labels, annotations } of rulesOf('alerts.yaml')) {
    expect(['page', 'ticket', 'info'], alert).toContain(labels?.['severity']);
    for (const key of ['summary', 'description']) expect(annotations?.[key]?.length, `${alert} ${key}`).toBeGreaterThan(10);
    const [page = '', anchor = ''] = (annotations?.['runbook_url'] ?? '').split('#');
    expect(existsSync(join(ROOT, page)), `${alert}: ${page}`).toBe(true);
    expect(anchor).toBe(alert.toLowerCase());
    const section = read(page)
      .split(/^## /m)
      .find((each) => each.startsWith(`${alert}\n`));
    for (const part of ['**Means**', '**Look at**', '**Do**']) expect(section, `${alert} in ${page}`).toContain(part);
  }
});

test('what rules read exists', () => {
  const rules = RULE_FILES.flatMap(rulesOf);
  expect(rules.length).toBeGreaterThan(30);
  expect(rules.flatMap(({ expr }) => seriesIn(expr)).flatMap(unknownIn)).toEqual([]);
});

test('what the dashboard shows parses and exists, panel by panel', async () => {
  const panels = panelsOf(dashboard());
  expect(panels.length).toBeGreaterThan(15);
  const dead = panels.flatMap(({ title, expressions }) =>
    expressions.flatMap((expr) => seriesIn(expr).flatMap(unknownIn)).map((name) => `${title}: ${name}`),
  );
  expect(dead).toEqual([]);
  const empty = panels.filter(({ expressions }) => expressions.some((expr) => seriesIn(expr).length === 0));
  expect(empty).toEqual([]);
  const rules = panels.flatMap(({ expressions }) => expressions).map((expr, at) => ({ record: `panel:${at}`, expr: filledIn(expr) }));
  const { code, output } = await promtool(
    'check',
    'rules',
    temporaryFile('panels.yaml', JSON.stringify({ groups: [{ name: 'panels', rules }] })),
  );
  expect(code, output).toBe(0);
});

test('a dead panel would be found', () => {
  expect(seriesIn('sum(rate(patchbay_gateway_made_up_total{fault="x"}[5m]))').flatMap(unknownIn)).toEqual([
    'patchbay_gateway_made_up_total',
  ]);
  expect(seriesIn('patchbay_gateway_calls_total{tool="x",server="y"}').flatMap(unknownIn)).toEqual(['patchbay_gateway_calls_total{tool}']);
  expect(seriesIn('histogram_quantile(0.9, patchbay_gateway_overhead_seconds_bucket{le="1"})').flatMap(unknownIn)).toEqual([]);
});
