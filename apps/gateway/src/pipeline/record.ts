import { performance } from 'node:perf_hooks';
import type { LimitGate } from '../limits/limit-gate.ts';
import type { CallRecorder } from '../ops/call-metrics.ts';
import type { Tracing } from '../ops/tracing.ts';
import type { CallContext } from './context.ts';

export type RecordDeps = {
  readonly calls: CallRecorder;
  readonly limits: Pick<LimitGate, 'release'>;
  readonly tracing: Pick<Tracing, 'end'>;
};

/** Frees what the call held of its limits, counts it and ends its span, whatever happened; never on the caller's time, never throws. */
export function makeRecord({ calls, limits, tracing }: RecordDeps): (ctx: CallContext) => void {
  return function record(ctx: CallContext): void {
    if (ctx.admission !== null) limits.release(ctx.admission);
    calls.count(ctx, (performance.now() - ctx.startedAtMs) / 1000);
    tracing.end(ctx);
  };
}
