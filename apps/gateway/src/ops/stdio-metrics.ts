import type { Metrics } from '@patchbay/telemetry';
import type { StdioHosts } from '../upstream/stdio/hosts.ts';
import type { PlacementCounters } from '../upstream/stdio/placement.ts';

export function makePlacementCounters(metrics: Metrics): PlacementCounters {
  const moves = metrics.counter({ name: 'patchbay_gateway_stdio_moves_total', help: 'Stdio servers moved to another host.', labels: [] });
  const recordsIgnored = metrics.counter({
    name: 'patchbay_gateway_stdio_records_ignored_total',
    help: 'Records of where a stdio server runs that were forged, outdated, or of a host that is not listed.',
    labels: [],
  });
  return { moves: moves.labels({}), recordsIgnored: recordsIgnored.labels({}) };
}

/** What this pod believes of the stdio hosts. They are named by the deployment. */
export function registerStdioHosts(metrics: Metrics, hosts: Pick<StdioHosts, 'all' | 'isAlive'>): void {
  metrics.read(
    { type: 'gauge', name: 'patchbay_gateway_stdio_host_up', help: '1 while this gateway believes the host alive.', labels: ['host'] },
    () => hosts.all.map((host) => [{ host: host.name }, hosts.isAlive(host) ? 1 : 0] as const),
  );
}
