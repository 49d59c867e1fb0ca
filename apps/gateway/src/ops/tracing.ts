import { context, type Span, SpanKind, SpanStatusCode, trace, type Tracer, TraceFlags } from '@opentelemetry/api';
import type { CallContext } from '../pipeline/context.ts';

export type Tracing = {
  /** Begins the call's server span, as a child of the client's `_meta.traceparent` or `traceparent` header. */
  readonly begin: (ctx: CallContext) => void;
  /** Ends it with what is known by then. */
  readonly end: (ctx: CallContext) => void;
  /** Sends what is buffered. */
  readonly stop: () => Promise<void>;
};

const OFF: Tracing = { begin: () => {}, end: () => {}, stop: async () => {} };

/**
 * Spans over OTLP when `OTEL_EXPORTER_OTLP_ENDPOINT` is set (the SDK reads the other OTEL_* variables, the sampler included); else
 * nothing is loaded. Names follow the OpenTelemetry semantic conventions for MCP; no auto-instrumentation touches the call path.
 */
export async function startTracing({ enabled, serviceName }: { enabled: boolean; serviceName: string }): Promise<Tracing> {
  if (!enabled) return OFF;
  const [{ NodeSDK }, { OTLPTraceExporter }] = await Promise.all([
    import('@opentelemetry/sdk-node'),
    import('@opentelemetry/exporter-trace-otlp-http'),
  ]);
  const sdk = new NodeSDK({ serviceName, traceExporter: new OTLPTraceExporter(), instrumentations: [] });
  sdk.start();
  return { ...makeTracing(trace.getTracer('patchbay-gateway')), stop: () => sdk.shutdown() };
}

/** The span of one call, given a tracer. */
function makeTracing(tracer: Tracer): Pick<Tracing, 'begin' | 'end'> {
  return {
    begin(ctx) {
      const { message } = ctx;
      if (message === null) return;
      const span = tracer.startSpan(message.method, { kind: SpanKind.SERVER, attributes: attributesOf(ctx) }, parentOf(ctx));
      ctx.span = span;
      if (span.isRecording()) ctx.traceparent = traceparentOf(span);
    },
    end(ctx) {
      const { span } = ctx;
      if (span === null) return;
      describeOutcome(ctx, span);
      span.end();
    },
  };
}

function attributesOf({ message, organisationSlug, serverSlug }: CallContext): Record<string, string> {
  const attributes: Record<string, string> = {
    'mcp.method.name': message?.method ?? '',
    'network.transport': 'tcp',
    'network.protocol.name': 'http',
    'patchbay.organisation': organisationSlug,
  };
  if (message?.id !== null && message?.id !== undefined) attributes['jsonrpc.request.id'] = String(message.id);
  if (serverSlug !== null) attributes['patchbay.server'] = serverSlug;
  return attributes;
}

function describeOutcome(ctx: CallContext, span: Span): void {
  const { message, outcome, protocolVersion, target } = ctx;
  if (protocolVersion !== '') span.setAttribute('mcp.protocol.version', protocolVersion);
  if (target?.kind === 'upstream') {
    span.setAttribute('patchbay.server', target.server.slug);
    // Names come from the accepted catalogue by now, so they cannot be made up by a caller.
    if (target.object.kind === 'tool')
      span.setAttributes({ 'gen_ai.operation.name': 'execute_tool', 'gen_ai.tool.name': target.object.name });
    if (target.object.kind === 'prompt') span.setAttribute('gen_ai.prompt.name', target.object.name);
    if (target.object.kind === 'resource') span.setAttribute('mcp.resource.uri', target.object.name);
    if (target.object.kind === 'tool' || target.object.kind === 'prompt') span.updateName(`${message?.method} ${target.object.name}`);
  }
  if (ctx.auditedLimitId !== '') span.setAttribute('patchbay.limit.would_refuse', ctx.auditedLimitId);
  if (outcome === 'ok' || outcome === 'cancelled') return;
  span.setAttribute('error.type', outcome);
  span.setStatus({ code: SpanStatusCode.ERROR });
}

/** protocol.md §1.3: the carrier is `params._meta.traceparent`; the HTTP header only where that is absent. */
function parentOf({ message, request }: CallContext): ReturnType<typeof context.active> {
  const header = request.headers['traceparent'];
  const carrier = message?.traceparent ?? (typeof header === 'string' ? header : null);
  const match = carrier === null ? null : TRACEPARENT.exec(carrier);
  if (match?.[1] === undefined || match[2] === undefined || match[3] === undefined) return context.active();
  const [, traceId, spanId, flags] = match;
  return trace.setSpanContext(context.active(), {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16) & TraceFlags.SAMPLED,
    isRemote: true,
  });
}

const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/;

function traceparentOf(span: Span): string {
  const { spanId, traceFlags, traceId } = span.spanContext();
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
}
