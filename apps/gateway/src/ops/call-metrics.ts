import type { CounterSeries, HistogramSeries, Metrics } from '@patchbay/telemetry';
import type { CallContext } from '../pipeline/context.ts';

export type CallRecorder = { count(ctx: CallContext, durationS: number): void };

/** Methods that appear as labels; what a caller made up is `other`. */
const METHODS: ReadonlySet<string> = new Set([
  'initialize',
  'ping',
  'server/discover',
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

type Series = { readonly calls: CounterSeries; readonly duration: HistogramSeries; readonly upstream: HistogramSeries };

/**
 * Counters and latency histograms by organisation, server, method and outcome. Organisation and server come from the snapshot,
 * so that a caller cannot make series; a warm call finds its series in nested maps and allocates nothing.
 */
export function makeCallMetrics(metrics: Metrics): CallRecorder {
  const labels = ['organisation', 'server', 'method', 'outcome'] as const;
  const calls = metrics.counter({ name: 'patchbay_gateway_calls_total', help: 'Calls by how they ended.', labels });
  const duration = metrics.histogram({
    name: 'patchbay_gateway_call_duration_seconds',
    help: 'From arrival to the end of the answer.',
    labels,
  });
  const upstream = metrics.histogram({
    name: 'patchbay_gateway_upstream_duration_seconds',
    help: 'The part of a call spent waiting for the upstream.',
    labels,
  });
  const bySnapshotNames = new Map<string, Map<string, Map<string, Map<string, Series>>>>();

  function seriesOf(organisation: string, server: string, method: string, outcome: string): Series {
    const byServer = child(bySnapshotNames, organisation);
    const byOutcome = child(child(byServer, server), method);
    let series = byOutcome.get(outcome);
    if (series === undefined) {
      const values = { organisation, server, method, outcome };
      series = { calls: calls.labels(values), duration: duration.labels(values), upstream: upstream.labels(values) };
      byOutcome.set(outcome, series);
    }
    return series;
  }

  return {
    count(ctx, durationS) {
      const method = methodOf(ctx);
      const series = seriesOf(ctx.snapshot?.organisationSlug ?? '', serverOf(ctx), method, ctx.outcome);
      series.calls.inc();
      series.duration.observe(durationS);
      if (ctx.upstreamMs > 0) series.upstream.observe(ctx.upstreamMs / 1000);
    },
  };
}

function child<K, V>(map: Map<K, Map<string, V>>, key: K): Map<string, V> {
  let inner = map.get(key);
  if (inner === undefined) {
    inner = new Map();
    map.set(key, inner);
  }
  return inner;
}

function serverOf({ endpointServer, target }: CallContext): string {
  if (target?.kind === 'upstream') return target.server.slug;
  return endpointServer?.slug ?? '';
}

function methodOf({ message, request }: CallContext): string {
  if (message === null) return request.method === 'DELETE' ? 'DELETE' : 'none';
  return METHODS.has(message.method) ? message.method : 'other';
}
