import { collectDefaultMetrics, Registry, type Metric } from 'prom-client';

const OTHER = 'other';
const SERIES_MAX = 1_000;

/** Seconds: from a call that never leaves the machine to one that runs into its timeout. */
export const LATENCY_BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] as const;

export type Labels<L extends string> = Readonly<Record<L, string>>;
/** One series. Keep it and use it again: adding to it allocates nothing. */
export type CounterSeries = { inc(by?: number): void };
export type GaugeSeries = { set(value: number): void; add(by: number): void };
export type HistogramSeries = { observe(value: number): void };

/** `labels` gives the series of these values, or the `other` series once the metric has as many as it may. */
export type Family<L extends string, S> = { labels(values: Labels<L>): S };

export type FamilyOptions<L extends string> = {
  name: string;
  help: string;
  /** Never a tool, a user, a token or anything a caller wrote. */
  labels: readonly L[];
  seriesMax?: number;
};

export type Metrics = {
  counter<L extends string>(options: FamilyOptions<L>): Family<L, CounterSeries>;
  gauge<L extends string>(options: FamilyOptions<L>): Family<L, GaugeSeries>;
  histogram<L extends string>(options: FamilyOptions<L> & { buckets?: readonly number[] }): Family<L, HistogramSeries>;
  /** The Prometheus text of everything registered, and its media type. */
  render(): Promise<{ contentType: string; text: string }>;
};

type Sample = { metricName?: string; labels: Record<string, string | number>; value: number };
type Samples = (labels: Record<string, string>) => Sample[];
type Kept<S> = { series: S; samples: () => Sample[] };

/** A registry of its own, with the metrics of the process unless told otherwise. A name registered twice is a fault. */
export function createMetrics({ processMetrics = true }: { processMetrics?: boolean } = {}): Metrics {
  const registry = new Registry();
  if (processMetrics) collectDefaultMetrics({ register: registry });
  return {
    counter: (options) => family(registry, 'counter', options, counterSeries),
    gauge: (options) => family(registry, 'gauge', options, gaugeSeries),
    histogram: ({ buckets = LATENCY_BUCKETS_S, ...options }) =>
      family(registry, 'histogram', options, () => histogramSeries(options.name, buckets)),
    render: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
  };
}

function family<L extends string, S>(
  registry: Registry,
  type: 'counter' | 'gauge' | 'histogram',
  { name, help, labels, seriesMax = SERIES_MAX }: FamilyOptions<L>,
  make: () => S & { samples: Samples },
): Family<L, S> {
  const kept = new Map<string, Kept<S>>();
  const get = (): object => ({ name, help, type, aggregator: 'sum', values: [...kept.values()].flatMap(({ samples }) => samples()) });
  const keep = (key: string, values: Record<string, string>): S => {
    const series = make();
    kept.set(key, { series, samples: () => series.samples(values) });
    return series;
  };
  const other = Object.fromEntries(labels.map((label) => [label, OTHER]));
  const otherKey = labels.map(() => OTHER).join('\0');
  // The registry asks a metric for its name and its samples only; its own classes hash the labels again on every call.
  registry.registerMetric({ name, get } as unknown as Metric);
  return {
    labels: (values) => {
      const key = labels.map((label) => values[label]).join('\0');
      const known = kept.get(key);
      if (known !== undefined) return known.series;
      if (kept.size < seriesMax) return keep(key, Object.fromEntries(labels.map((label) => [label, values[label]])));
      return kept.get(otherKey)?.series ?? keep(otherKey, other);
    },
  };
}

function counterSeries(): CounterSeries & { samples: Samples } {
  let total = 0;
  return {
    inc: (by = 1) => {
      // A counter that falls reads as a restart: what is not an increase is not counted.
      if (by > 0) total += by;
    },
    samples: (labels) => [{ labels, value: total }],
  };
}

function gaugeSeries(): GaugeSeries & { samples: Samples } {
  let current = 0;
  return {
    set: (value) => {
      current = value;
    },
    add: (by) => {
      current += by;
    },
    samples: (labels) => [{ labels, value: current }],
  };
}

function histogramSeries(name: string, buckets: readonly number[]): HistogramSeries & { samples: Samples } {
  const bounds = [...buckets].sort((a, b) => a - b);
  const counts = new Float64Array(bounds.length + 1);
  let sum = 0;
  return {
    observe: (value) => {
      if (Number.isNaN(value)) return;
      let at = 0;
      while (at < bounds.length && value > (bounds[at] ?? Infinity)) at += 1;
      counts[at] = (counts[at] ?? 0) + 1;
      sum += value;
    },
    samples: (labels) => {
      let below = 0;
      const upTo = [...bounds, '+Inf'].map((le, at) => {
        below += counts[at] ?? 0;
        return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: below };
      });
      return [...upTo, { metricName: `${name}_sum`, labels, value: sum }, { metricName: `${name}_count`, labels, value: below }];
    },
  };
}
