import { type Span, SpanKind, SpanStatusCode, type Tracer } from '@opentelemetry/api';
import type { ErrorCode } from '@patchbay/errors';
import type { ScannedMessage } from '@patchbay/mcp-wire';
import { LATENCY_BUCKETS_S, type Metrics } from '@patchbay/telemetry';
import { parentContext, traceparentOf } from '@patchbay/telemetry/tracing';
import type { ServerKey } from '../process/server-process.ts';

/** `ok`: the server has answered, be it with an error of its own. */
export type RequestOutcome = 'ok' | 'cancelled' | ErrorCode;

export type RequestRecorder = {
  /** A request of a session goes to its server. */
  begin(request: RecordedRequest): Recording;
};

export type RecordedRequest = {
  readonly key: ServerKey;
  readonly slug: string;
  readonly message: ScannedMessage;
  /** The HTTP request's `traceparent`. */
  readonly traceparent: string | string[] | undefined;
};

export type Recording = {
  /** Of this request's span, for the server; null when there is none, or nobody records it. */
  readonly traceparent: string | null;
  /** Only the first word counts. */
  end(outcome: RequestOutcome): void;
};

const LABELS = ['organisation_id', 'server', 'outcome'] as const;
/** Past so many servers the rest is `other`; their outcomes stay apart. */
const FOLDS = { folds: ['organisation_id', 'server'], namedMax: 500 } as const;

/** Counts requests, measures how long servers take, and makes each a span where tracing is on. */
export function makeRequestRecorder(metrics: Metrics, tracer: Tracer | null): RequestRecorder {
  const name = 'patchbay_stdio_host_request';
  const requests = metrics.counter({ name: `${name}s_total`, help: 'Requests of sessions, by how they ended.', labels: LABELS, ...FOLDS });
  const durations = metrics.histogram({
    name: `${name}_duration_seconds`,
    help: 'From taking a request to the last byte of its answer.',
    labels: LABELS,
    buckets: LATENCY_BUCKETS_S,
    ...FOLDS,
  });
  let inFlight = 0;
  metrics.read({ type: 'gauge', name: `${name}s_in_flight`, help: 'Requests that servers have not answered yet.', labels: [] }, () => [
    [{}, inFlight],
  ]);
  return {
    begin(request) {
      const beganAtMs = performance.now();
      const span = tracer === null ? null : startSpan(tracer, request);
      let isOver = false;
      inFlight += 1;
      return {
        traceparent: span === null ? null : traceparentOf(span),
        end(outcome) {
          if (isOver) return;
          isOver = true;
          inFlight -= 1;
          const labels = { organisation_id: request.key.organisationId, server: request.slug, outcome };
          requests.labels(labels).inc();
          durations.labels(labels).observe((performance.now() - beganAtMs) / 1_000);
          if (span !== null) endSpan(span, outcome);
        },
      };
    },
  };
}

/** Named by the OpenTelemetry semantic conventions for MCP. Only gateways ask us, and they ask for what their catalogue has. */
function startSpan(tracer: Tracer, { key, message, slug, traceparent }: RecordedRequest): Span {
  const { method, name, protocolVersion } = message;
  const attributes: Record<string, string> = {
    'mcp.method.name': method,
    'network.transport': 'pipe',
    'patchbay.organisation.id': key.organisationId,
    'patchbay.server': slug,
  };
  if (message.id !== null) attributes['jsonrpc.request.id'] = String(message.id);
  if (protocolVersion !== null) attributes['mcp.protocol.version'] = protocolVersion;
  if (method === 'tools/call' && name !== null)
    Object.assign(attributes, { 'gen_ai.operation.name': 'execute_tool', 'gen_ai.tool.name': name });
  if (method === 'prompts/get' && name !== null) attributes['gen_ai.prompt.name'] = name;
  const title = (method === 'tools/call' || method === 'prompts/get') && name !== null ? `${method} ${name}` : method;
  return tracer.startSpan(title, { kind: SpanKind.SERVER, attributes }, parentContext(message.traceparent, traceparent));
}

function endSpan(span: Span, outcome: RequestOutcome): void {
  if (outcome !== 'ok' && outcome !== 'cancelled') {
    span.setAttribute('error.type', outcome);
    span.setStatus({ code: SpanStatusCode.ERROR });
  }
  span.end();
}
