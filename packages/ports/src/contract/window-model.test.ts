import fc from 'fast-check';
import { expect, test } from 'vitest';
import { WindowModel } from './window-model.ts';

const window = fc.record({ windowMs: fc.integer({ min: 1, max: 5_000 }), max: fc.integer({ min: 0, max: 20 }) });
const steps = fc.array(fc.record({ waitMs: fc.integer({ min: 0, max: 800 }), wanted: fc.integer({ min: 0, max: 8 }) }), { maxLength: 80 });
const startMs = fc.integer({ min: 1_700_000_000_000, max: 1_900_000_000_000 });

test('no real window ever holds more permits than its maximum', () => {
  fc.assert(
    fc.property(fc.array(window, { minLength: 1, maxLength: 3 }), steps, startMs, (windows, taken, start) => {
      const model = new WindowModel(windows);
      let nowMs = start;
      const granted: { atMs: number; permits: number }[] = [];
      for (const { waitMs, wanted } of taken) {
        nowMs += waitMs;
        granted.push({ atMs: nowMs, permits: model.take(wanted, nowMs).granted });
      }
      for (const { windowMs, max } of windows) {
        for (const { atMs: endMs } of granted) {
          const inside = granted.filter(({ atMs }) => atMs > endMs - windowMs && atMs <= endMs);
          expect(inside.reduce((sum, { permits }) => sum + permits, 0)).toBeLessThanOrEqual(max);
        }
      }
    }),
    { numRuns: 500 },
  );
});

test('after the time it names there is more, and before it there is not', () => {
  fc.assert(
    fc.property(fc.array(window, { minLength: 1, maxLength: 3 }), steps, startMs, (windows, taken, start) => {
      const model = new WindowModel(windows);
      let nowMs = start;
      for (const { waitMs, wanted } of taken) {
        nowMs += waitMs;
        model.take(wanted, nowMs);
      }
      const full = model.take(1_000, nowMs);
      if (full.retryAfterMs > 1) expect(model.take(1, nowMs + full.retryAfterMs - 1).granted).toBe(0);
      const isEverPossible = windows.every(({ max }) => max > 0);
      expect(model.take(1, nowMs + full.retryAfterMs).granted).toBe(isEverPossible ? 1 : 0);
    }),
    { numRuns: 500 },
  );
});

test('a taker that never stops gets its maximum a window, or up to one slice in fifty-one less', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1_000, max: 60_000 }), fc.integer({ min: 1, max: 500 }), startMs, (windowMs, max, start) => {
      const model = new WindowModel([{ windowMs, max }]);
      const windows = 12;
      let sum = 0;
      for (let k = 0; k < windows * 100; k += 1) sum += model.take(max, Math.floor(start + (k * windowMs) / 100)).granted;
      expect(sum).toBeLessThanOrEqual(max * windows);
      expect(sum).toBeGreaterThanOrEqual((max * windows * 50) / 51);
    }),
    { numRuns: 10 },
  );
});
