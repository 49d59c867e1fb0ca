import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { ROOT } from './checkout.ts';

export type Rule = {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
};
export type Documented = { readonly name: string; readonly labels: readonly string[] };
type Panel = {
  readonly title: string;
  readonly type: string;
  readonly targets?: readonly { readonly expr: string }[];
  readonly panels?: readonly Panel[];
};
type Dashboard = {
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly query?: unknown }[] };
};

export const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** All rules of a file below deploy/prometheus. */
export function rulesOf(file: string): Rule[] {
  const { groups } = parse(read(`deploy/prometheus/${file}`)) as { groups: { rules: Rule[] }[] };
  return groups.flatMap(({ rules }) => rules);
}

/** The metrics that docs/operations/metrics.md lists. */
export function documentedMetrics(): Map<string, Documented> {
  const rows = read('docs/operations/metrics.md').matchAll(/^\| `([a-z_]+)` \| (?:counter|gauge|histogram) \| ([^|]*) \|/gm);
  return new Map(
    [...rows].map(([, name = '', labels = '']) => [
      name,
      { name, labels: [...labels.matchAll(/`(\w+)`/g)].map(([, label = '']) => label) },
    ]),
  );
}

export const dashboard = (): Dashboard => JSON.parse(read('deploy/grafana/patchbay.json')) as Dashboard;

/** Every panel that asks Prometheus something, with what it asks. */
export function panelsOf({ panels }: { readonly panels: readonly Panel[] }): { title: string; expressions: string[] }[] {
  return panels.flatMap((panel) => [
    ...(panel.targets === undefined ? [] : [{ title: panel.title, expressions: panel.targets.map(({ expr }) => expr) }]),
    ...(panel.panels === undefined ? [] : panelsOf({ panels: panel.panels })),
  ]);
}

/** An expression as Grafana sends it: its variables filled in. */
export function filledIn(expression: string): string {
  return expression
    .replaceAll('$__rate_interval', '5m')
    .replaceAll('$__range', '1h')
    .replaceAll(/\$\{?\w+\}?/g, '.*');
}

export type Used = { readonly name: string; readonly labels: readonly string[] };

/** What an expression selects: names of series, with the labels it matches on. */
export function seriesIn(expression: string): Used[] {
  const selectors = expression.matchAll(/\b((?:patchbay|process|nodejs)[a-z0-9_]*(?::[a-z0-9_:]+)?|up|ALERTS)\b(?:\{([^}]*)\})?/g);
  return [...selectors].map(([, name = '', matchers = '']) => ({
    name,
    labels: [...matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label = '']) => label),
  }));
}
