import type { Bus } from '@patchbay/ports';
import type { Metrics, Reading } from '@patchbay/telemetry';
import type { Handshake } from '../directory/handshake.ts';
import type { HangGuard } from '../directory/hang-guard.ts';
import type { Clock } from '../snapshot/log.ts';
import type { State } from '../snapshot/make-state.ts';

export type PodMetricsDeps = {
  readonly state: Pick<State, 'counters' | 'snapshots' | 'status'>;
  readonly bus: Pick<Bus, 'isListening'>;
  readonly handshake: Pick<Handshake, 'differs'>;
  readonly guards: Readonly<Record<'stores' | 'control_plane', HangGuard>>;
  readonly isDraining: () => boolean;
  readonly streamsOpen: () => number;
  readonly stalenessBudgetMs: number;
  readonly clock: Clock;
};

/** Where this pod stands, read each time metrics are asked for: nothing on a call's path. */
export function registerPodMetrics(metrics: Metrics, deps: PodMetricsDeps): void {
  registerNews(metrics, deps);
  registerRevisions(metrics, deps);
  registerSnapshotCounts(metrics, deps);
}

function registerNews(metrics: Metrics, deps: PodMetricsDeps): void {
  const { bus, clock, guards, handshake, isDraining, stalenessBudgetMs, state } = deps;
  const gauge = (name: string, help: string, read: () => number): void =>
    metrics.read({ type: 'gauge', name, help, labels: [] }, () => [[{}, read()]]);
  gauge('patchbay_gateway_ready', '1 while this pod may take calls.', () => flag(state.status().ready && !isDraining()));
  gauge('patchbay_gateway_draining', '1 from being told to stop until the last call has ended.', () => flag(isDraining()));
  gauge('patchbay_gateway_news_age_seconds', 'Since the last word from a control plane that took a report; +Inf before the first.', () => {
    const { lastNewsAtMs } = state.status();
    return lastNewsAtMs === 0 ? Infinity : (clock.nowMs() - lastNewsAtMs) / 1000;
  });
  gauge('patchbay_gateway_staleness_budget_seconds', 'At which age of its news this pod refuses calls.', () => stalenessBudgetMs / 1000);
  gauge('patchbay_gateway_streams_open', 'Streams that clients hold open.', deps.streamsOpen);
  gauge('patchbay_gateway_bus_connected', '1 while announcements arrive at once and not by comparison every 10 s.', () =>
    flag(bus.isListening()),
  );
  gauge('patchbay_gateway_control_plane_mismatch', '1 while a control plane is of an incompatible version or goes by other keys.', () =>
    flag(handshake.differs()),
  );
  metrics.read(
    { type: 'gauge', name: 'patchbay_gateway_left_alone', help: '1 while lookups skip this peer because it hangs.', labels: ['peer'] },
    () => Object.entries(guards).map(([peer, guard]) => [{ peer }, flag(guard.leavesAlone())] as const),
  );
}

function registerRevisions(metrics: Metrics, { state }: PodMetricsDeps): void {
  const labels = ['organisation'] as const;
  metrics.read({ type: 'gauge', name: 'patchbay_gateway_revision', help: 'The revision served.', labels }, () =>
    state.snapshots.status().map(({ revision, slug }) => [{ organisation: slug }, revision] as const),
  );
  metrics.read(
    {
      type: 'gauge',
      name: 'patchbay_gateway_revision_lag_seconds',
      help: 'How long a newer revision has been known but not served.',
      labels,
    },
    () => state.snapshots.status().map(({ lagMs, slug }) => [{ organisation: slug }, lagMs / 1000] as const),
  );
}

function registerSnapshotCounts(metrics: Metrics, { state }: PodMetricsDeps): void {
  const { counters } = state;
  const counter = <L extends string>(name: string, help: string, labels: readonly L[], read: () => Iterable<Reading<L>>): void =>
    metrics.read({ type: 'counter', name, help, labels }, read);
  counter('patchbay_gateway_announcements_total', 'Genuine announcements of revisions that arrived.', [], () => [
    [{}, counters.announcements],
  ]);
  counter('patchbay_gateway_snapshot_swaps_total', 'Revisions taken into service.', [], () => [[{}, counters.swaps]]);
  counter('patchbay_gateway_snapshot_swap_seconds_total', 'Time from having a manifest to serving it, of all swaps.', [], () => [
    [{}, counters.swapMs / 1000],
  ]);
  counter('patchbay_gateway_refused_total', 'Manifests, parts, entries and announcements not taken, by reason.', ['reason'], () =>
    Object.entries(counters.refused).map(([reason, count]) => [{ reason }, count] as const),
  );
  counter('patchbay_gateway_token_lookups_total', 'Tokens by where they were found: in memory, or asked for.', ['from'], () => [
    [{ from: 'memory' }, counters.tokenHits],
    [{ from: 'asked' }, counters.tokenMisses],
  ]);
  counter('patchbay_gateway_lookups_refused_total', 'Lookups not made because an address or an organisation made too many.', [], () => [
    [{}, counters.missesLimited],
  ]);
}

function flag(value: boolean): number {
  return value ? 1 : 0;
}
