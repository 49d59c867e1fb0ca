import { performance } from 'node:perf_hooks';
import type { CallRecorder } from '../ops/call-metrics.ts';
import type { Tracing } from '../ops/tracing.ts';
import type { CallContext } from './context.ts';

export type RecordDeps = { readonly calls: CallRecorder; readonly tracing: Pick<Tracing, 'end'> };

/** Counts the call and ends its span, whatever happened; never on the caller's time, never throws. */
export function makeRecord({ calls, tracing }: RecordDeps): (ctx: CallContext) => void {
  return function record(ctx: CallContext): void {
    calls.count(ctx, (performance.now() - ctx.startedAtMs) / 1000);
    tracing.end(ctx);
  };
}
