import { LATENCY_BUCKETS_S, type CounterSeries, type HistogramSeries, type Metrics } from '@patchbay/telemetry';
import type { CallContext } from '../pipeline/context.ts';
import { faultOf } from './fault-of.ts';

export type CallRecorder = {
  /** A call has arrived. */
  began(): void;
  /** It has ended; once for each that began. */
  count(ctx: CallContext, durationS: number): void;
};

/** Methods that appear as labels; what a caller made up is `other`. */
const METHODS: ReadonlySet<string> = new Set([
  'initialize',
  'ping',
  'server/discover',
  'subscriptions/listen',
  'tools/list',
  'tools/call',
  'prompts/list',
  'prompts/get',
  'resources/list',
  'resources/templates/list',
  'resources/read',
  'completion/complete',
  'notifications/initialized',
  'notifications/cancelled',
]);

/** Seconds. Of our own part of a call, which is far below what the upstream takes. */
const OVERHEAD_BUCKETS_S = [0.0001, 0.00025, 0.0005, ...LATENCY_BUCKETS_S.filter((bound) => bound <= 1)];
/** Pairs of organisation and server that have series of their own on one pod. */
const SERVERS_MAX = 500;
const FOLDS = { folds: ['organisation', 'server'], namedMax: SERVERS_MAX } as const;

type Ended = { readonly calls: CounterSeries; readonly isTheCallers: boolean };
type Timed = { readonly duration: HistogramSeries; readonly overhead: HistogramSeries };
type OfServer = {
  readonly upstream: HistogramSeries;
  readonly byOutcome: Map<string, Ended>;
  readonly byMethod: Map<string, Timed>;
};

/**
 * Counters and latency histograms. Organisation and server come from the snapshot, so that a caller cannot make series; a warm
 * call finds its series in nested maps and allocates nothing.
 */
export function makeCallMetrics(metrics: Metrics): CallRecorder {
  const families = registerFamilies(metrics);
  const bySnapshotNames = new Map<string, Map<string, OfServer>>();
  let inFlight = 0;
  metrics.read({ type: 'gauge', name: 'patchbay_gateway_calls_in_flight', help: 'Calls that have not ended yet.', labels: [] }, () => [
    [{}, inFlight],
  ]);

  function ofServer(organisation: string, server: string): OfServer {
    const byServer = child(bySnapshotNames, organisation, () => new Map<string, OfServer>());
    return child(byServer, server, () => ({
      upstream: families.upstream.labels({ organisation, server }),
      byOutcome: new Map(),
      byMethod: new Map(),
    }));
  }

  return {
    began() {
      inFlight += 1;
    },
    count(ctx, durationS) {
      inFlight -= 1;
      const organisation = ctx.snapshot?.organisationSlug ?? '';
      const server = serverOf(ctx);
      const { outcome, upstreamMs } = ctx;
      const method = methodOf(ctx);
      const { byMethod, byOutcome, upstream } = ofServer(organisation, server);
      const ended = child(byOutcome, outcome, () => {
        const fault = faultOf(outcome);
        return { calls: families.calls.labels({ organisation, server, outcome, fault }), isTheCallers: fault === 'caller' };
      });
      ended.calls.inc();
      if (ended.isTheCallers) return;
      const timed = child(byMethod, method, () => ({
        duration: families.duration.labels({ organisation, server, method }),
        overhead: families.overhead.labels({ method }),
      }));
      timed.duration.observe(durationS);
      if (upstreamMs === 0) return;
      upstream.observe(upstreamMs / 1000);
      timed.overhead.observe(durationS - upstreamMs / 1000);
    },
  };
}

function registerFamilies(metrics: Metrics) {
  return {
    calls: metrics.counter({
      name: 'patchbay_gateway_calls_total',
      help: 'Calls by how they ended and whose doing it is when they failed.',
      labels: ['organisation', 'server', 'outcome', 'fault'],
      ...FOLDS,
    }),
    duration: metrics.histogram({
      name: 'patchbay_gateway_call_duration_seconds',
      help: 'From arrival to the end of the answer, of calls that did not fail by their caller.',
      labels: ['organisation', 'server', 'method'],
      ...FOLDS,
    }),
    upstream: metrics.histogram({
      name: 'patchbay_gateway_upstream_duration_seconds',
      help: 'The part of a forwarded call that its upstream took.',
      labels: ['organisation', 'server'],
      ...FOLDS,
    }),
    overhead: metrics.histogram({
      name: 'patchbay_gateway_overhead_seconds',
      help: 'The rest of a forwarded call: what the gateway itself took.',
      labels: ['method'],
      buckets: OVERHEAD_BUCKETS_S,
    }),
  };
}

function child<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}

function serverOf({ endpointServer, target }: CallContext): string {
  if (target?.kind === 'upstream') return target.server.slug;
  return endpointServer?.slug ?? '';
}

function methodOf({ message, request }: CallContext): string {
  if (message === null) return request.method === 'DELETE' || request.method === 'GET' ? request.method : 'none';
  return METHODS.has(message.method) ? message.method : 'other';
}
