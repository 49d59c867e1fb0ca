import type { Metrics } from '@patchbay/telemetry';
import type { SnapshotCounters } from '../snapshot/counters.ts';
import type { SnapshotStore } from '../snapshot/store.ts';

/** Copies the snapshot's plain counts into gauges each time metrics are asked for: nothing on a call's path. */
export function withSnapshotMetrics(metrics: Metrics, { counters, store }: { counters: SnapshotCounters; store: SnapshotStore }): Metrics {
  const revision = metrics.gauge({ name: 'patchbay_gateway_revision', help: 'The revision served.', labels: ['organisation'] });
  const lag = metrics.gauge({
    name: 'patchbay_gateway_revision_lag_seconds',
    help: 'How long a newer revision has been known but not served.',
    labels: ['organisation'],
  });
  const events = metrics.gauge({ name: 'patchbay_gateway_snapshot_events', help: 'Since the start, by kind.', labels: ['kind'] });
  const refused = metrics.gauge({
    name: 'patchbay_gateway_snapshot_refused',
    help: 'Manifests, parts and entries not taken, by reason.',
    labels: ['reason'],
  });
  return {
    ...metrics,
    render() {
      for (const { lagMs, revision: served, slug } of store.status()) {
        revision.labels({ organisation: slug }).set(served);
        lag.labels({ organisation: slug }).set(lagMs / 1000);
      }
      const { refused: reasons, ...counts } = counters;
      for (const [kind, count] of Object.entries(counts)) events.labels({ kind }).set(count);
      for (const [reason, count] of Object.entries(reasons)) refused.labels({ reason }).set(count);
      return metrics.render();
    },
  };
}
