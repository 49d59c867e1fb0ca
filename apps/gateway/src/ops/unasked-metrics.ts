import type { Metrics } from '@patchbay/telemetry';
import { UNASKED_PER_MINUTE, UnaskedLimits } from '../upstream/unasked-limits.ts';

/** The limits of this pod, counted. */
export function makeUnaskedLimits(metrics: Metrics): UnaskedLimits {
  const refused = metrics.counter({
    name: 'patchbay_gateway_upstream_messages_refused_total',
    help: 'Notifications and requests of a server beyond what it may say in a minute without being asked.',
    labels: ['organisation', 'server', 'kind'],
    folds: ['organisation', 'server'],
    namedMax: 500,
  });
  return new UnaskedLimits(UNASKED_PER_MINUTE, ({ organisationSlug, server }, kind) =>
    refused.labels({ organisation: organisationSlug, server: server.slug, kind }).inc(),
  );
}
