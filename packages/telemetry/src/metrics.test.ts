import { expect, test } from 'vitest';
import { createMetrics } from './metrics.ts';

test('counters and histograms are rendered as Prometheus reads them', async () => {
  const registry = createMetrics();
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
  const registry = createMetrics();
  const calls = registry.counter({ name: 'calls_total', help: 'Calls', labels: ['organisation', 'server'], namedMax: 2 });
  for (let at = 0; at < 100; at += 1) calls.labels({ organisation: 'o', server: `s${at}` }).inc();
  const { text } = await registry.render();
  expect(text.match(/^calls_total\{/gm)?.length).toBe(3);
  expect(text).toContain('calls_total{organisation="other",server="other"} 98');
});

// Guarantee: alerts divide by these labels, so a busy pod may lose a server's name but never whose fault a failure was.
test('past the cap the labels with few values stay', async () => {
  const registry = createMetrics();
  const options = { name: 'calls_total', help: 'Calls', labels: ['server', 'fault'], folds: ['server'], namedMax: 1 } as const;
  const calls = registry.counter(options);
  for (const server of ['a', 'b', 'c']) for (const fault of ['none', 'upstream']) calls.labels({ server, fault }).inc();
  const { text } = await registry.render();
  expect(text.match(/^calls_total\{.*$/gm)).toEqual([
    'calls_total{server="a",fault="none"} 1',
    'calls_total{server="a",fault="upstream"} 1',
    'calls_total{server="other",fault="none"} 2',
    'calls_total{server="other",fault="upstream"} 2',
  ]);
});

test('a family that is read has the series of that moment and no others', async () => {
  const registry = createMetrics();
  let rows: [{ organisation: string }, number][] = [
    [{ organisation: 'a' }, 1],
    [{ organisation: 'b' }, 2],
  ];
  registry.read({ type: 'gauge', name: 'lag', help: 'Lag', labels: ['organisation'] }, () => rows);
  expect((await registry.render()).text).toContain('lag{organisation="a"} 1\nlag{organisation="b"} 2');
  rows = [[{ organisation: 'b' }, 3]];
  const { text } = await registry.render();
  expect(text.match(/^lag\{.*$/gm)).toEqual(['lag{organisation="b"} 3']);
});

test('past the cap what is read adds up, or keeps its greatest', async () => {
  const registry = createMetrics();
  const rows = [1, 5, 3].map((value, at) => [{ organisation: `o${at}` }, value] as const);
  registry.read({ type: 'gauge', name: 'lag', help: 'Lag', labels: ['organisation'], namedMax: 1 }, () => rows);
  registry.read({ type: 'counter', name: 'errors_total', help: 'Errors', labels: ['organisation'], namedMax: 1 }, () => rows);
  const { text } = await registry.render();
  expect(text).toContain('lag{organisation="o0"} 1\nlag{organisation="other"} 5');
  expect(text).toContain('errors_total{organisation="o0"} 1\nerrors_total{organisation="other"} 8');
});

test('a family that cannot be read, or hangs, takes nothing else with it', async () => {
  const registry = createMetrics();
  registry.read({ type: 'gauge', name: 'broken', help: 'x', labels: [] }, () => {
    throw new Error('away');
  });
  registry.read({ type: 'gauge', name: 'hanging', help: 'x', labels: [] }, () => new Promise(() => undefined));
  registry.counter({ name: 'calls_total', help: 'Calls', labels: [] }).labels({}).inc();
  const startedAt = performance.now();
  const { text } = await registry.render();
  expect(performance.now() - startedAt).toBeLessThan(5_000);
  expect(text).toContain('calls_total 1');
  expect(text).not.toMatch(/^(broken|hanging)/m);
});

test('the same labels are the same series', () => {
  const gauge = createMetrics().gauge({ name: 'open', help: 'Open', labels: ['a', 'b'] });
  expect(gauge.labels({ a: '1', b: '2' })).toBe(gauge.labels({ b: '2', a: '1' }));
  expect(gauge.labels({ a: '1', b: '2' })).not.toBe(gauge.labels({ a: '12', b: '' }));
});

test('one name cannot be registered twice', () => {
  const registry = createMetrics();
  registry.counter({ name: 'calls_total', help: 'Calls', labels: [] });
  expect(() => registry.counter({ name: 'calls_total', help: 'Calls', labels: [] })).toThrow('already been registered');
});
