import fc from 'fast-check';
import { expect, test } from 'vitest';
import { mostInAWindow } from './counters.fixture.ts';
import { LocalWindow } from './local-window.ts';

const gaps = fc.array(fc.oneof(fc.nat(40), fc.nat(1_500)), { minLength: 1, maxLength: 400 });

test('never more than its max in any window, and never fewer than a window allows that is 1 % longer', () => {
  fc.assert(
    fc.property(gaps, fc.integer({ min: 1, max: 12 }), (gapsMs, max) => {
      const windowMs = 1_000;
      const window = new LocalWindow({ windowMs, max }, 0);
      const admitted: number[] = [];
      let nowMs = 0;
      for (const gapMs of gapsMs) {
        nowMs += gapMs;
        if (window.total(nowMs) < max) {
          window.add();
          admitted.push(nowMs);
        } else {
          expect(admitted.filter((at) => at > nowMs - windowMs * 1.01).length).toBeGreaterThanOrEqual(max);
        }
      }
      expect(mostInAWindow(admitted, windowMs)).toBeLessThanOrEqual(max);
    }),
  );
});

test('after the time it gives there is room, and not before', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(100), { minLength: 3, maxLength: 30 }), (gapsMs) => {
      const window = new LocalWindow({ windowMs: 1_000, max: 3 }, 0);
      let nowMs = 0;
      for (const gapMs of gapsMs) {
        nowMs += gapMs;
        if (window.total(nowMs) < 3) {
          window.add();
          continue;
        }
        const waitMs = window.retryAfterMs(nowMs, 3);
        expect(waitMs).toBeGreaterThan(0);
        const before = nowMs + Math.ceil(waitMs) - 1;
        if (before > nowMs && before < nowMs + waitMs - 0.001) expect(window.total(before)).toBe(3);
        nowMs += Math.ceil(waitMs + 0.001);
        expect(window.total(nowMs)).toBeLessThan(3);
      }
    }),
  );
});

test('a clock that stands still or goes back lets nothing out', () => {
  const window = new LocalWindow({ windowMs: 1_000, max: 2 }, 5_000);
  window.total(5_000);
  window.add();
  expect(window.total(1_000)).toBe(1);
  window.add();
  expect(window.total(5_999)).toBe(2);
  expect(window.total(6_100)).toBe(0);
});

test('a pause of any length empties it', () => {
  const window = new LocalWindow({ windowMs: 50, max: 1 }, 0);
  window.total(0);
  window.add();
  expect(window.total(1e12)).toBe(0);
  expect(window.retryAfterMs(1e12, 1)).toBe(0);
});
