import type { IncomingMessage, ServerResponse } from 'node:http';
import { catalog, type ErrorCode } from '@patchbay/errors';
import { createMetrics } from '@patchbay/telemetry';
import { expect, test } from 'vitest';
import { CallContext } from '../pipeline/context.ts';
import type { CompiledServer, CompiledSnapshot } from '../snapshot/compiled.ts';
import { makeCallMetrics } from './call-metrics.ts';
import { faultOf } from './fault-of.ts';

type Call = { server?: string; outcome?: CallContext['outcome']; upstreamMs?: number; method?: string };

function ended({ server = 'files', outcome = 'ok', upstreamMs = 40, method = 'tools/call' }: Call): CallContext {
  const ctx = new CallContext({ method: 'POST' } as IncomingMessage, {} as ServerResponse, 0);
  ctx.snapshot = { organisationSlug: 'acme' } as CompiledSnapshot;
  ctx.endpointServer = { slug: server } as CompiledServer;
  ctx.message = { method } as CallContext['message'];
  return Object.assign(ctx, { outcome, upstreamMs });
}

function recording() {
  const metrics = createMetrics();
  const calls = makeCallMetrics(metrics);
  const lines = async (name: string): Promise<string[]> =>
    (await metrics.render()).text.split('\n').filter((line) => line.startsWith(name) && !line.includes('_bucket'));
  return {
    calls,
    lines,
    call: (call: Call, seconds = 0.05): void => {
      calls.began();
      calls.count(ended(call), seconds);
    },
  };
}

test('a call is counted by how it ended and whose doing that was', async () => {
  const { call, lines } = recording();
  call({});
  call({});
  call({ outcome: 'tool_error' });
  call({ outcome: 'upstream.timeout' });
  expect(await lines('patchbay_gateway_calls_total')).toEqual([
    'patchbay_gateway_calls_total{organisation="acme",server="files",outcome="ok",fault="none"} 2',
    'patchbay_gateway_calls_total{organisation="acme",server="files",outcome="tool_error",fault="none"} 1',
    'patchbay_gateway_calls_total{organisation="acme",server="files",outcome="upstream.timeout",fault="upstream"} 1',
  ]);
});

test('our own part of a call is told apart from the upstream’s', async () => {
  const { call, lines } = recording();
  call({ upstreamMs: 250 }, 0.5);
  call({ upstreamMs: 0, method: 'tools/list' }, 0.5);
  const overhead = await lines('patchbay_gateway_overhead_seconds');
  expect(overhead).toContain('patchbay_gateway_overhead_seconds_sum{method="tools/call"} 0.25');
  expect(overhead).toContain('patchbay_gateway_overhead_seconds_count{method="tools/list"} 0');
  expect(await lines('patchbay_gateway_upstream_duration_seconds_count')).toEqual([
    'patchbay_gateway_upstream_duration_seconds_count{organisation="acme",server="files"} 1',
  ]);
});

// Guarantee: whoever probes with bad tokens or unknown tools neither flatters nor spoils the latency that we are held to.
test('what callers did wrong is counted and not timed', async () => {
  const { call, lines } = recording();
  call({ outcome: 'tool.unknown', upstreamMs: 0 });
  call({ outcome: 'cancelled' });
  expect(await lines('patchbay_gateway_calls_total')).toHaveLength(2);
  expect(await lines('patchbay_gateway_call_duration_seconds')).toEqual([]);
});

test('a method that a caller made up makes no series', async () => {
  const { call, lines } = recording();
  for (let at = 0; at < 50; at += 1) call({ method: `made-up-${at}` });
  expect(await lines('patchbay_gateway_call_duration_seconds_count')).toEqual([
    'patchbay_gateway_call_duration_seconds_count{organisation="acme",server="files",method="other"} 50',
  ]);
});

// Guarantee: security.md §15, a series cap per pod. Whose fault a failure was survives it, or an error budget would lie.
test('past the cap a server counts as other, and its failures keep their owner', async () => {
  const { call, lines } = recording();
  for (let at = 0; at < 700; at += 1) call({ server: `s${at}`, outcome: 'upstream.timeout' });
  const counted = await lines('patchbay_gateway_calls_total');
  expect(counted).toHaveLength(501);
  expect(counted).toContain(
    'patchbay_gateway_calls_total{organisation="other",server="other",outcome="upstream.timeout",fault="upstream"} 200',
  );
});

test('calls in flight are those that began and have not ended', async () => {
  const { call, calls, lines } = recording();
  calls.began();
  calls.began();
  call({ outcome: 'internal' });
  expect(await lines('patchbay_gateway_calls_in_flight')).toEqual(['patchbay_gateway_calls_in_flight 2']);
});

// Guarantee: alerts page on these words, so they are literals here.
test('each outcome has one owner', () => {
  const codes = Object.keys(catalog) as ErrorCode[];
  expect(codes.map(faultOf)).toEqual(codes.map((code) => catalog[code].owner));
  expect(new Set(codes.map(faultOf))).toEqual(new Set(['caller', 'patchbay', 'upstream', 'admin']));
  expect([faultOf('ok'), faultOf('tool_error'), faultOf('cancelled')]).toEqual(['none', 'none', 'caller']);
});
