import { randomBytes } from 'node:crypto';

/** Where a call stands in a trace (W3C Trace Context, level 2): ids in lower-case hex, never all zero. */
export type TraceContext = { readonly traceId: string; readonly spanId: string; readonly sampled: boolean };

/** Gives that many random bytes. */
export type RandomBytes = (size: number) => Buffer;

const VERSION_00 = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
const LATER_VERSION = /^(?!00|ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-[\x21-\x7e]*)?$/;
const ZERO = /^0+$/;
const HEADER_MAX = 256;
const SAMPLED = 1;

/** Null for whatever is not exactly a traceparent: a caller's malformed header starts a new trace. */
export function parseTraceparent(header: string | undefined): TraceContext | null {
  if (header === undefined || header.length > HEADER_MAX) return null;
  const [, traceId, spanId, flags] = VERSION_00.exec(header) ?? LATER_VERSION.exec(header) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return null;
  if (ZERO.test(traceId) || ZERO.test(spanId)) return null;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & SAMPLED) === SAMPLED };
}

/** As version 00; flags other than `sampled` are not carried on. */
export function formatTraceparent({ traceId, spanId, sampled }: TraceContext): string {
  return `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`;
}

/** A new span below `parent`; without one, the root of a new trace, unsampled. */
export function childSpan(parent: TraceContext | null, random: RandomBytes = randomBytes): TraceContext {
  return { traceId: parent?.traceId ?? newId(16, random), spanId: newId(8, random), sampled: parent?.sampled ?? false };
}

function newId(bytes: number, random: RandomBytes): string {
  for (;;) {
    const id = random(bytes).toString('hex');
    if (!ZERO.test(id)) return id;
  }
}
