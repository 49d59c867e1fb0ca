/** One series. Keep it and use it again: adding to it allocates nothing. */
export type CounterSeries = { inc(by?: number): void };
export type GaugeSeries = { set(value: number): void; add(by: number): void };
export type HistogramSeries = { observe(value: number): void };

export type Sample = { metricName?: string; labels: Record<string, string | number>; value: number };
type Samples = (labels: Record<string, string>) => Sample[];
/** A series that can be rendered under the labels it is kept by. */
export type Rendered<S> = S & { readonly samples: Samples };

export function counterSeries(): Rendered<CounterSeries> {
  let total = 0;
  return {
    inc: (by = 1) => {
      // A counter that falls reads as a restart: what is not an increase is not counted.
      if (by > 0) total += by;
    },
    samples: (labels) => [{ labels, value: total }],
  };
}

export function gaugeSeries(): Rendered<GaugeSeries> {
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

/** `buckets` are upper bounds, in any order; a value that is not a number is not counted. */
export function histogramSeries(name: string, buckets: readonly number[]): Rendered<HistogramSeries> {
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
