import { expect, test } from 'vitest';
import { childSpan, formatTraceparent, parseTraceparent } from './trace-context.ts';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const spanId = '00f067aa0ba902b7';

test('a traceparent is read and written back', () => {
  const header = `00-${traceId}-${spanId}-01`;
  const context = parseTraceparent(header);
  expect(context).toEqual({ traceId, spanId, sampled: true });
  expect(context === null ? null : formatTraceparent(context)).toBe(header);
  expect(parseTraceparent(`cc-${traceId}-${spanId}-00-more`)).toEqual({ traceId, spanId, sampled: false });
});

test.each([
  undefined,
  '',
  `00-${traceId.toUpperCase()}-${spanId}-01`,
  `00-${traceId}-${spanId}-01-more`,
  `00-${traceId}-${spanId}-1`,
  `ff-${traceId}-${spanId}-01`,
  `00-${'0'.repeat(32)}-${spanId}-01`,
  `00-${traceId}-${'0'.repeat(16)}-01`,
  `00-${traceId}-${spanId}-01\n`,
  `cc-${traceId}-${spanId}-01-${'x'.repeat(300)}`,
])('what is not exactly a traceparent is none: %j', (header) => expect(parseTraceparent(header)).toBeNull());

test('a child stays in its trace under an id of its own, and no id is all zero', () => {
  const parent = { traceId, spanId, sampled: true };
  expect(childSpan(parent)).toMatchObject({ traceId, sampled: true });
  expect(childSpan(parent).spanId).not.toBe(spanId);
  let asked = 0;
  expect(childSpan(null, (size) => Buffer.alloc(size, (asked += 1) === 1 ? 0 : 7))).toEqual({
    traceId: '07'.repeat(16),
    spanId: '07'.repeat(8),
    sampled: false,
  });
});
