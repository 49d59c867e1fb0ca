import { randomUUID } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import type { Counters } from '@patchbay/ports';
import type { CounterSeries, Logger, Metrics } from '@patchbay/telemetry';
import { LeaseBook, TICK_MS } from './lease-book.ts';
import { CENSUS_MS, makePodCensus, type PodCensus } from './pod-census.ts';
import { type Decided, type LimitGate, makeLimitGate } from './limit-gate.ts';

/** The limits of this pod, at work from the start to `close`. */
export type Limits = LimitGate & {
  /** How many pods go by the same counters, this one included; those that have just ended for some seconds more. */
  pods(): number;
  /** Gives back what is leased; a store that does not take it loses nothing that does not come back by itself. */
  close(): Promise<void>;
};

export type LimitsDeps = {
  readonly counters: Counters;
  readonly metrics: Metrics;
  readonly log: Pick<Logger, 'info' | 'warn'>;
};

/** Monotonic: a clock that is set back would keep calls waiting, one set forward would let them pass. */
const clock = { nowMs: () => performance.now() };
/** A store that hangs does not hold up the end of the program. */
const CLOSE_MS = 1_000;

export function makeLimits({ counters, metrics, log }: LimitsDeps): Limits {
  const holder = randomUUID();
  const census = makePodCensus({ counters, holder, answered: () => book.storeAnswered() });
  const book: LeaseBook = new LeaseBook({
    counters,
    clock,
    holder,
    pods: census.count,
    storeChanged(isAway, why) {
      if (isAway) log.warn({ why, pods: census.count() }, 'limits: the counters cannot be reached, this pod goes by its own share');
      else log.info({}, 'limits: the counters are shared again');
    },
  });
  registerLimitMetrics(metrics, book, census);
  const gate = makeLimitGate({ book, clock, decided: decisionCounter(metrics) });
  const ticking = setInterval(() => book.tick(), TICK_MS).unref();
  const counting = setInterval(() => void census.refresh(), CENSUS_MS).unref();
  void census.refresh();
  return {
    ...gate,
    pods: census.count,
    async close() {
      clearInterval(ticking);
      clearInterval(counting);
      const late = new Promise<void>((resolve) => void setTimeout(resolve, CLOSE_MS).unref());
      await Promise.race([Promise.all([book.close(), census.leave()]), late]);
    },
  };
}

function registerLimitMetrics(metrics: Metrics, book: LeaseBook, census: PodCensus): void {
  metrics.read({ type: 'gauge', name: 'patchbay_gateway_limit_pods', help: 'Gateways that go by the same counters.', labels: [] }, () => [
    [{}, census.count()],
  ]);
  metrics.read(
    {
      type: 'gauge',
      name: 'patchbay_gateway_limit_store_away',
      help: '1 while the counters cannot be reached and this pod goes by its own share.',
      labels: [],
    },
    () => [[{}, book.isStoreAway ? 1 : 0]],
  );
  metrics.read({ type: 'gauge', name: 'patchbay_gateway_limit_counters', help: 'Counters of limits in memory.', labels: [] }, () => [
    [{}, book.size],
  ]);
  metrics.read(
    {
      type: 'counter',
      name: 'patchbay_gateway_limit_counters_dropped_total',
      help: 'Counters dropped to make room for others.',
      labels: [],
    },
    () => [[{}, book.dropped]],
  );
}

/** Counts decisions; a call that is decided finds its series without making anything. */
function decisionCounter(metrics: Metrics): Decided {
  const family = metrics.counter({
    name: 'patchbay_gateway_limit_decisions_total',
    help: 'Calls that limits were looked at for, by mode; a refused one in audit mode was sent all the same.',
    labels: ['organisation', 'mode', 'outcome'],
    folds: ['organisation'],
  });
  const bySlug = new Map<string, Map<string, CounterSeries>>();
  return (organisation, mode, outcome) => {
    let known = bySlug.get(organisation);
    if (known === undefined) {
      known = new Map();
      bySlug.set(organisation, known);
    }
    const key = KEYS[mode][outcome];
    let series = known.get(key);
    if (series === undefined) {
      series = family.labels({ organisation, mode, outcome });
      known.set(key, series);
    }
    series.inc();
  };
}

const KEYS = {
  enforce: { admitted: 'enforce admitted', refused: 'enforce refused' },
  audit: { admitted: 'audit admitted', refused: 'audit refused' },
} as const;
