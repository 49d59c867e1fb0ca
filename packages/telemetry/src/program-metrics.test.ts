import { expect, test } from 'vitest';
import { createProgramMetrics } from './program-metrics.ts';

const metrics = createProgramMetrics({ program: 'gateway', version: '1.2.3' });

async function value(name: string): Promise<number> {
  const { text } = await metrics.render();
  const line = text.split('\n').find((each) => each.startsWith(name));
  return Number(line?.slice(name.length));
}

test('a program says what it is, and what it takes of the machine under the usual names', async () => {
  expect(await value('patchbay_build_info{program="gateway",version="1.2.3"}')).toBe(1);
  expect(await value('process_resident_memory_bytes')).toBeGreaterThan(1_000_000);
  expect(await value('process_start_time_seconds')).toBeGreaterThan(1_000_000_000);
  expect(await value('nodejs_heap_size_used_bytes')).toBeGreaterThan(1_000_000);
});

test('a blocked event loop shows, and still does when somebody else has looked meanwhile', async () => {
  await new Promise((resolve) => setTimeout(resolve, 100));
  const before = await value('patchbay_event_loop_delay_seconds{quantile="1"}');
  const until = performance.now() + 300;
  while (performance.now() < until);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const after = await value('patchbay_event_loop_delay_seconds{quantile="1"}');
  expect(after).toBeGreaterThanOrEqual(Math.max(before, 0.25));
  expect(await value('patchbay_event_loop_delay_seconds{quantile="1"}')).toBeGreaterThanOrEqual(after);
});
