import { expect, test } from 'vitest';
import { createMetrics } from './metrics.ts';

const metrics = (): ReturnType<typeof createMetrics> => createMetrics({ processMetrics: false });

test('counters and histograms are rendered as Prometheus reads them', async () => {
  const registry = metrics();
  const calls = registry.counter({ name: 'calls_total', help: 'Calls', labels: ['server'] });
  calls.labels({ server: 'a"b' }).inc();
  calls.labels({ server: 'a"b' }).inc(2);
  calls.labels({ server: 'a"b' }).inc(-5);
  const seconds = registry.histogram({ name: 'seconds', help: 'Time', labels: ['server'], buckets: [1, 0.1] }).labels({ server: 'x' });
  for (const value of [0.1, 0.5, 7, Number.NaN]) seconds.observe(value);
  const { text } = await registry.render();
  expect(text.split('\n').filter((line) => line !== '')).toEqual([
    '# HELP calls_total Calls',
    '# TYPE calls_total counter',
    'calls_total{server="a\\"b"} 3',
    '# HELP seconds Time',
    '# TYPE seconds histogram',
    'seconds_bucket{server="x",le="0.1"} 1',
    'seconds_bucket{server="x",le="1"} 2',
    'seconds_bucket{server="x",le="+Inf"} 3',
    'seconds_sum{server="x"} 7.6',
    'seconds_count{server="x"} 3',
  ]);
});

test('past the cap every further series counts into one', async () => {
  const registry = metrics();
  const calls = registry.counter({ name: 'calls_total', help: 'Calls', labels: ['organisation', 'server'], seriesMax: 2 });
  for (let at = 0; at < 100; at += 1) calls.labels({ organisation: 'o', server: `s${at}` }).inc();
  const { text } = await registry.render();
  expect(text.match(/^calls_total\{/gm)?.length).toBe(3);
  expect(text).toContain('calls_total{organisation="other",server="other"} 98');
});

test('the same labels are the same series', () => {
  const gauge = metrics().gauge({ name: 'open', help: 'Open', labels: ['a', 'b'] });
  expect(gauge.labels({ a: '1', b: '2' })).toBe(gauge.labels({ b: '2', a: '1' }));
  expect(gauge.labels({ a: '1', b: '2' })).not.toBe(gauge.labels({ a: '12', b: '' }));
});

test('one name cannot be registered twice', () => {
  const registry = metrics();
  registry.counter({ name: 'calls_total', help: 'Calls', labels: [] });
  expect(() => registry.counter({ name: 'calls_total', help: 'Calls', labels: [] })).toThrow('already been registered');
});
