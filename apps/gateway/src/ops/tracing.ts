import { type Span, SpanKind, SpanStatusCode, type Tracer } from '@opentelemetry/api';
import { parentContext, startTracer, traceparentOf } from '@patchbay/telemetry/tracing';
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

/** Spans of calls, named after the OpenTelemetry semantic conventions for MCP; see `startTracer` for when there are any. */
export async function startTracing({ enabled, serviceName }: { enabled: boolean; serviceName: string }): Promise<Tracing> {
  const started = await startTracer({ enabled, serviceName });
  return started === null ? OFF : { ...makeTracing(started.tracer), stop: started.stop };
}

/** The span of one call, given a tracer. */
function makeTracing(tracer: Tracer): Pick<Tracing, 'begin' | 'end'> {
  return {
    begin(ctx) {
      const { message, request } = ctx;
      if (message === null) return;
      const parent = parentContext(message.traceparent, request.headers['traceparent']);
      const span = tracer.startSpan(message.method, { kind: SpanKind.SERVER }, parent);
      // Of a call that is not sampled nothing is said, and nothing made.
      if (!span.isRecording()) return;
      span.setAttributes(attributesOf(ctx));
      ctx.span = span;
      ctx.traceparent = traceparentOf(span);
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
