import { type Refusal, refusal } from '@patchbay/errors';
import type { LeasedCounter } from './leased-counter.ts';

/** What a caller is told: which limit, what it allows, when to come again; `counted` says whether this pod had to go by its share. */
export function limitExceeded(counter: LeasedCounter, at: { nowMs: number; revision: number; isShare: boolean }): Refusal {
  const { id, name, windows, concurrency } = counter.rule;
  const retryAfterMs = Math.max(1, counter.retryAfterMs(at.nowMs));
  const allowed = [
    ...windows.map(({ windowMs, max }) => `${calls(max)} in ${duration(windowMs)}`),
    ...(concurrency === null ? [] : [`${calls(concurrency)} at a time`]),
  ].join(' and ');
  return refusal('limit.exceeded', `Limit "${name}" allows ${allowed}. Try again in ${about(retryAfterMs)}.`, {
    rule: id,
    revision: at.revision,
    retryAfterMs,
    counted: at.isShare ? 'pod' : 'fleet',
  });
}

function calls(count: number): string {
  return count === 1 ? '1 call' : `${count} calls`;
}

const UNITS = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
] as const;

const SECOND = ['second', 1_000] as const;

/** Exactly, in the largest unit that divides it. */
function duration(ms: number): string {
  return inUnits(ms, UNITS.find(([, each]) => ms >= each && ms % each === 0) ?? SECOND);
}

/** Rounded up, in the largest unit of which it is more than two. */
function about(ms: number): string {
  return inUnits(ms, UNITS.find(([, each]) => ms > 2 * each) ?? SECOND);
}

function inUnits(ms: number, [unit, unitMs]: readonly [string, number]): string {
  const count = Math.ceil(ms / unitMs);
  return count === 1 ? `1 ${unit}` : `${count} ${unit}s`;
}
