import { listen, startModernUpstream } from '@patchbay/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { StartPlatform, TestPlatform } from '../support/test-platform.ts';
import { MODERN_META, post } from '../support/raw.ts';
import { until } from '../support/until.ts';

/** A stdio server whose one tool says what `_meta` it was called with, and what it has for an environment. */
const TELLING = `
const send = (id, result) => process.stdout.write(JSON.stringify({ jsonrpc: '2.0', id, result }) + '\\n');
require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params } = JSON.parse(line);
  if (id === undefined) return;
  if (method === 'initialize')
    send(id, { protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 'telling', version: '1' } });
  else if (method === 'tools/list') send(id, { tools: [{ name: 'tell', inputSchema: { type: 'object' } }] });
  else send(id, { content: [{ type: 'text', text: JSON.stringify({ meta: params._meta, env: Object.keys(process.env) }) }] });
});`;

type Span = {
  service: string;
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
    await platform.api.expect(201, 'POST', '/servers', { kind: 'stdio', slug: 'telling', command: 'node', args: ['-e', TELLING] });
    await platform.api.grantAll('telling');
    await platform.api.discovered('telling');
  });

  afterAll(async () => {
    await platform.dispose();
    await Promise.all([upstream.close(), collector.close()]);
  });

  function collect(request: Parameters<Parameters<typeof listen>[0]>[0], response: Parameters<Parameters<typeof listen>[0]>[1]): void {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const sent = JSON.parse(Buffer.concat(chunks).toString()) as {
        resourceSpans: { resource: { attributes: Span['attributes'] }; scopeSpans: { spans: Span[] }[] }[];
      };
      for (const { resource, scopeSpans } of sent.resourceSpans) {
        const service = resource.attributes.find(({ key }) => key === 'service.name')?.value.stringValue ?? '';
        for (const scope of scopeSpans) spans.push(...scope.spans.map((span) => ({ ...span, service })));
      }
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  }

  const TRACE = '0af7651916cd43dd8448eb211c80319c';

  async function callTraced(server = 'traced', name = 'echo', trace = TRACE): Promise<string> {
    const _meta = { ...MODERN_META, traceparent: `00-${trace}-b7ad6b7169203331-01` };
    const body = JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name, arguments: { message: 'x' }, _meta },
    });
    const headers = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': name };
    const answer = await post(platform.mcpUrl(server), platform.facts.token, body, headers);
    expect(answer.status).toBe(200);
    return answer.text;
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

  test('one trace goes from the client through gateway and stdio host to the stdio server', async () => {
    const trace = '1bf7651916cd43dd8448eb211c80319d';
    const called = await until(
      async () => {
        const text = await callTraced('telling', 'tell', trace);
        return text.includes('traceparent') ? text : null;
      },
      { what: 'the stdio server at the gateway' },
    );
    const of = (service: string): Span | undefined =>
      spans.find((span) => span.service === service && span.traceId === trace && span.name === 'tools/call tell');
    const host = await until(() => of('patchbay-stdio-host'), { what: 'the span of the stdio host', timeoutMs: 15_000 });
    const gateway = await until(() => of('patchbay-gateway'), { what: 'the span of the gateway', timeoutMs: 15_000 });
    expect(gateway.parentSpanId).toBe('b7ad6b7169203331');
    expect(host.parentSpanId).toBe(gateway.spanId);
    expect(called).toContain(`00-${trace}-${host.spanId}-01`);
    for (const leaked of ['OTEL_', 'PATCHBAY_']) expect(called).not.toContain(leaked);
  });

  test('the control plane’s requests and publishing are spans too, by route and without a secret', async () => {
    const trace = '2cf7651916cd43dd8448eb211c80319e';
    const path = `/api/v1/orgs/${platform.facts.org}/servers`;
    const headers = { authorization: `Bearer ${platform.facts.apiToken}`, traceparent: `00-${trace}-b7ad6b7169203331-01` };
    expect((await fetch(`${platform.facts.apiUrl}${path}`, { headers })).status).toBe(200);
    const asked = await until(() => spans.find(({ traceId }) => traceId === trace), { what: 'the span of the request', timeoutMs: 15_000 });
    expect([asked.service, asked.name, asked.parentSpanId]).toEqual([
      'patchbay-control-plane',
      'GET /api/v1/orgs/:org/servers',
      'b7ad6b7169203331',
    ]);
    expect(spans.some(({ name, service }) => service === 'patchbay-control-plane' && name === 'publish revision')).toBe(true);
    expect(JSON.stringify(spans)).not.toContain(platform.facts.apiToken);
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
