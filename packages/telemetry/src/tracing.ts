import { context, type Context, type Span, trace, type Tracer, TraceFlags } from '@opentelemetry/api';
import { formatTraceparent, parseTraceparent } from './trace-context.ts';

export type ProgramTracer = {
  readonly tracer: Tracer;
  /** Sends what is buffered. */
  stop(): Promise<void>;
};

/**
 * Spans over OTLP under the program's name; null, and nothing is loaded, where `OTEL_EXPORTER_OTLP_ENDPOINT` is not set. The SDK
 * reads the other OTEL_* variables, the sampler included. No auto-instrumentation touches what a program does.
 */
export async function startTracer({ enabled, serviceName }: { enabled: boolean; serviceName: string }): Promise<ProgramTracer | null> {
  if (!enabled) return null;
  const [{ NodeSDK }, { OTLPTraceExporter }] = await Promise.all([
    import('@opentelemetry/sdk-node'),
    import('@opentelemetry/exporter-trace-otlp-http'),
  ]);
  const sdk = new NodeSDK({ serviceName, traceExporter: new OTLPTraceExporter(), instrumentations: [] });
  sdk.start();
  return { tracer: trace.getTracer(serviceName), stop: () => sdk.shutdown() };
}

/** protocol.md §1.3: the carrier is `params._meta.traceparent`; the HTTP header only where that is absent. Malformed: a new trace. */
export function parentContext(inMessage: string | null, header: string | string[] | undefined): Context {
  const parent = parseTraceparent(inMessage ?? (typeof header === 'string' ? header : undefined));
  if (parent === null) return context.active();
  const { sampled, spanId, traceId } = parent;
  const traceFlags = sampled ? TraceFlags.SAMPLED : TraceFlags.NONE;
  return trace.setSpanContext(context.active(), { traceId, spanId, traceFlags, isRemote: true });
}

/** What the next program is sent; null when the span is not recorded, and says nothing to anybody. */
export function traceparentOf(span: Span): string | null {
  if (!span.isRecording()) return null;
  const { spanId, traceFlags, traceId } = span.spanContext();
  return formatTraceparent({ traceId, spanId, sampled: (traceFlags & TraceFlags.SAMPLED) !== 0 });
}
