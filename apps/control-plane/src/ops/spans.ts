import { type Attributes, type Span, SpanKind, SpanStatusCode, type Tracer } from '@opentelemetry/api';
import { parentContext } from '@patchbay/telemetry/tracing';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Listener } from './meters.ts';

/** Asked every few seconds by machines: of no interest to anybody who reads traces. */
const PROBES: ReadonlySet<string> = new Set(['/livez', '/readyz', '/metrics']);
const SERVER_ERROR = 500;

/** The control plane's spans, named by the OpenTelemetry semantic conventions; none where tracing is off. */
export class Spans {
  readonly #tracer: Tracer | null;

  constructor(tracer: Tracer | null) {
    this.#tracer = tracer;
  }

  /** Each request of a listener, below the caller's `traceparent`, by its route's pattern and never its address. */
  ofRequests(instance: FastifyInstance, listener: Listener): void {
    const tracer = this.#tracer;
    if (tracer === null) return;
    const open = new WeakMap<FastifyRequest, Span>();
    instance.addHook('onRequest', async (request) => {
      const { headers, method, routeOptions } = request;
      if (PROBES.has(routeOptions.url ?? '')) return;
      const route = routeOptions.url ?? 'none';
      const attributes = { 'http.request.method': method, 'http.route': route, 'patchbay.listener': listener };
      const parent = parentContext(null, headers['traceparent']);
      open.set(request, tracer.startSpan(`${method} ${route}`, { kind: SpanKind.SERVER, attributes }, parent));
    });
    instance.addHook('onResponse', async (request, { statusCode }) => {
      const span = open.get(request);
      if (span === undefined) return;
      span.setAttribute('http.response.status_code', statusCode);
      if (statusCode >= SERVER_ERROR) fail(span, String(statusCode));
      span.end();
    });
  }

  /** Work of our own that nobody waits for in a request. */
  async during(name: string, attributes: Attributes, work: () => Promise<void>): Promise<void> {
    const span = this.#tracer?.startSpan(name, { kind: SpanKind.INTERNAL, attributes });
    try {
      await work();
    } catch (error) {
      if (span !== undefined) fail(span, error instanceof Error ? error.name : 'unknown');
      throw error;
    } finally {
      span?.end();
    }
  }
}

function fail(span: Span, type: string): void {
  span.setAttribute('error.type', type);
  span.setStatus({ code: SpanStatusCode.ERROR });
}
