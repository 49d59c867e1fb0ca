import { collectDefaultMetrics, Registry } from 'prom-client';
import { watchEventLoop } from './event-loop-delay.ts';
import { createMetrics, type Metrics } from './metrics.ts';

/** The event loop by prom-client's own measure: forgotten at every scrape, and never below its timer's ten milliseconds. */
const LEFT_OUT = /^nodejs_eventloop_lag/;

/**
 * The registry of a program: what it is, how late its event loop comes, and the process under the names every Node program has
 * (`process_*`, `nodejs_*`). Once a process.
 */
export function createProgramMetrics({ program, version }: { program: string; version: string }): Metrics {
  const metrics = createMetrics();
  metrics.read(
    { type: 'gauge', name: 'patchbay_build_info', help: 'Always 1: which program this is.', labels: ['program', 'version'] },
    () => [[{ program, version }, 1]],
  );
  const delay = watchEventLoop();
  metrics.read(
    {
      type: 'gauge',
      name: 'patchbay_event_loop_delay_seconds',
      help: 'How late the event loop came, the worst of the last minute; 1 is the maximum.',
      labels: ['quantile'],
    },
    () => {
      const { p50, p99, max } = delay();
      return [
        [{ quantile: '0.5' }, p50],
        [{ quantile: '0.99' }, p99],
        [{ quantile: '1' }, max],
      ];
    },
  );
  return withProcess(metrics);
}

function withProcess(metrics: Metrics): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const { name } of registry.getMetricsAsArray()) if (LEFT_OUT.test(name)) registry.removeSingleMetric(name);
  return {
    ...metrics,
    async render() {
      const [own, process] = await Promise.all([metrics.render(), registry.metrics()]);
      return { contentType: own.contentType, text: `${own.text}\n${process}` };
    },
  };
}
