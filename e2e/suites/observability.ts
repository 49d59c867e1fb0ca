import { listen, startModernUpstream } from '@patchbay/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { StartPlatform, TestPlatform } from '../support/test-platform.ts';
import { MODERN_META, post } from '../support/raw.ts';
import { until } from '../support/until.ts';

type Span = {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  attributes: { key: string; value: { stringValue?: string } }[];
};

/** What a call leaves behind for those who run us. */
export function observability(start: StartPlatform): void {
  let platform: TestPlatform;
  let upstream: Awaited<ReturnType<typeof startModernUpstream>>;
  let collector: Awaited<ReturnType<typeof listen>>;
  const spans: Span[] = [];

  beforeAll(async () => {
    [upstream, collector] = await Promise.all([startModernUpstream(), listen(collect)]);
    platform = await start({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url.replace('/mcp', ''), OTEL_BSP_SCHEDULE_DELAY: '100' });
    await platform.register('traced', upstream.url);
  });

  afterAll(async () => {
    await platform.dispose();
    await Promise.all([upstream.close(), collector.close()]);
  });

  function collect(request: Parameters<Parameters<typeof listen>[0]>[0], response: Parameters<Parameters<typeof listen>[0]>[1]): void {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const sent = JSON.parse(Buffer.concat(chunks).toString()) as { resourceSpans: { scopeSpans: { spans: Span[] }[] }[] };
      for (const { scopeSpans } of sent.resourceSpans) for (const scope of scopeSpans) spans.push(...scope.spans);
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  }

  const TRACE = '0af7651916cd43dd8448eb211c80319c';

  async function callTraced(): Promise<void> {
    const _meta = { ...MODERN_META, traceparent: `00-${TRACE}-b7ad6b7169203331-01` };
    const body = JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'echo', arguments: { message: 'x' }, _meta },
    });
    const headers = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'echo' };
    expect((await post(platform.mcpUrl('traced'), platform.facts.token, body, headers)).status).toBe(200);
  }

  test('a call’s span continues the client’s trace, is named after the MCP conventions, and goes on upstream', async () => {
    await callTraced();
    const span = await until(() => spans.find(({ name, traceId }) => name === 'tools/call echo' && traceId === TRACE), {
      what: 'the exported span',
      timeoutMs: 15_000,
    });
    expect(span.parentSpanId).toBe('b7ad6b7169203331');
    const attributes = Object.fromEntries(span.attributes.map(({ key, value }) => [key, value.stringValue]));
    expect(attributes).toMatchObject({
      'mcp.method.name': 'tools/call',
      'gen_ai.tool.name': 'echo',
      'mcp.protocol.version': '2026-07-28',
      'patchbay.organisation': 'default',
      'patchbay.server': 'traced',
    });
    const traced = upstream.seenHeaders.find((headers) => String(headers['traceparent']).includes(TRACE));
    expect(traced?.['traceparent']).toContain(span.spanId);
    expect(JSON.stringify(spans)).not.toContain(platform.facts.token);
  });

  test('metrics count calls by organisation, server, method and outcome, and name no tool, user or token', async () => {
    for (const _each of platform.adminUrls) await callTraced();
    const all = await Promise.all(platform.adminUrls.map(async (url) => (await fetch(`${url}/metrics`)).text()));
    const metrics = all.join('\n');
    expect(metrics).toMatch(/patchbay_gateway_calls_total\{organisation="default",server="traced",outcome="ok",fault="none"\} [1-9]/);
    expect(metrics).toMatch(
      /patchbay_gateway_call_duration_seconds_bucket\{organisation="default",server="traced",method="tools\/call",le="/,
    );
    for (const private_ of ['echo', platform.facts.token, platform.facts.adminEmail]) expect(metrics).not.toContain(private_);
    for (const url of platform.adminUrls) {
      expect((await fetch(`${url}/readyz`)).status).toBe(200);
      expect((await fetch(`${url}/livez`)).status).toBe(200);
    }
  });
}
