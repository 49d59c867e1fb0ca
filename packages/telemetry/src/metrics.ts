import { Registry, type Metric } from 'prom-client';
import { readFamily, type Reading } from './reading.ts';
import {
  counterSeries,
  gaugeSeries,
  histogramSeries,
  type CounterSeries,
  type GaugeSeries,
  type HistogramSeries,
  type Rendered,
  type Sample,
} from './series.ts';

const OTHER = 'other';
const SERIES_MAX = 1_000;

/** Seconds: from a call that never leaves the machine to one that runs into its timeout. */
export const LATENCY_BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] as const;

export type Labels<L extends string> = Readonly<Record<L, string>>;

/** `labels` gives the series of these values, or, once there are as many as there may be, the one they share as `other`. */
export type Family<L extends string, S> = { labels(values: Labels<L>): S };

export type FamilyOptions<L extends string> = {
  readonly name: string;
  readonly help: string;
  /** Never a tool, a user, a token or anything a caller wrote. */
  readonly labels: readonly L[];
  /** The labels that read `other` past the cap; all of them when left away. The rest must have few, fixed values. */
  readonly folds?: readonly L[];
  /** How many combinations of the folding labels have series of their own; 1,000 when left away. */
  readonly namedMax?: number;
};

export type Metrics = {
  counter<L extends string>(options: FamilyOptions<L>): Family<L, CounterSeries>;
  gauge<L extends string>(options: FamilyOptions<L>): Family<L, GaugeSeries>;
  histogram<L extends string>(options: FamilyOptions<L> & { readonly buckets?: readonly number[] }): Family<L, HistogramSeries>;
  /**
   * A family that is asked for its values at each rendering: it has those series and no others. Past the cap counters add up and
   * gauges keep their greatest. What throws, or takes longer than a second, has no series this time.
   */
  read<L extends string>(
    options: FamilyOptions<L> & { readonly type: 'counter' | 'gauge' },
    read: () => Iterable<Reading<L>> | Promise<Iterable<Reading<L>>>,
  ): void;
  /** The Prometheus text of everything registered, and its media type. Never rejects because one family could not be read. */
  render(): Promise<{ contentType: string; text: string }>;
};

/** A registry of its own. A name registered twice is a fault. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  return {
    counter: (options) => family(registry, 'counter', options, counterSeries),
    gauge: (options) => family(registry, 'gauge', options, gaugeSeries),
    histogram: ({ buckets = LATENCY_BUCKETS_S, ...options }) =>
      family(registry, 'histogram', options, () => histogramSeries(options.name, buckets)),
    read: ({ type, ...options }, read) => {
      // A counter must not change its name; gauges of what is gone make room for others.
      const kept = folding(options);
      register(registry, { ...options, type }, () => readFamily(type, read, type === 'counter' ? kept : folding(options)));
    },
    render: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
  };
}

type Kept<S> = { series: S; samples: () => Sample[] };

function family<L extends string, S>(
  registry: Registry,
  type: 'counter' | 'gauge' | 'histogram',
  options: FamilyOptions<L>,
  make: () => Rendered<S>,
): Family<L, S> {
  const { labels } = options;
  const kept = new Map<string, Kept<S>>();
  const keyOf = (values: Labels<L>): string => labels.map((label) => values[label]).join('\0');
  const keep = (values: Labels<L>): S => {
    const key = keyOf(values);
    const known = kept.get(key);
    if (known !== undefined) return known.series;
    const series = make();
    kept.set(key, { series, samples: () => series.samples(values) });
    return series;
  };
  register(registry, { ...options, type }, () => [...kept.values()].flatMap(({ samples }) => samples()));
  const fold = folding(options);
  return { labels: (values) => kept.get(keyOf(values))?.series ?? keep(fold(values)) };
}

/** Gives labels as they are, or with `other` in the folding ones when their combination comes after the last that is named. */
function folding<L extends string>({ labels, folds = labels, namedMax = SERIES_MAX }: FamilyOptions<L>): (values: Labels<L>) => Labels<L> {
  const named = new Set<string>();
  const other = Object.fromEntries(folds.map((label) => [label, OTHER]));
  return (values) => {
    const ordered = Object.fromEntries(labels.map((label) => [label, values[label]])) as Labels<L>;
    const key = folds.map((label) => values[label]).join('\0');
    if (named.has(key)) return ordered;
    if (named.size >= namedMax) return { ...ordered, ...other };
    named.add(key);
    return ordered;
  };
}

type Described = { readonly name: string; readonly help: string; readonly type: string };

/** The registry asks a metric for its name and its samples only; its own classes hash the labels again on every call. */
function register(registry: Registry, { name, help, type }: Described, samples: () => Sample[] | Promise<Sample[]>): void {
  const get = async (): Promise<object> => ({ name, help, type, aggregator: 'sum', values: await samples() });
  registry.registerMetric({ name, get } as unknown as Metric);
}
