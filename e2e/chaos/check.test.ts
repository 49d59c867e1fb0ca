import { describe, expect, test } from 'vitest';
import { check } from './check.ts';
import type { Call, Phase, Run } from './model.ts';

const phase = (over: Partial<Phase> = {}): Phase => ({
  name: 'kill -9 gateway-1',
  kind: 'kill',
  victims: ['gateway-1'],
  servers: [],
  beganAtMs: 1_000,
  lostUntilMs: 1_000,
  mendedAtMs: 2_000,
  recoveredAtMs: 2_500,
  missing: [],
  changes: { answered: 3, confirmed: 1, failed: 0 },
  limitFactor: 1.05,
  endedAtMs: 4_000,
  ...over,
});

const call = (id: string, over: Partial<Call> = {}): Call => ({
  id,
  kind: 'tool',
  client: '2026-07-28',
  server: 'old',
  startedAtMs: 900,
  endedAtMs: 1_100,
  outcome: { kind: 'ok' },
  ...over,
});

const failed = (id: string, over: Partial<Call> = {}): Call => call(id, { outcome: { kind: 'failed', reason: 'fetch failed' }, ...over });

/** A run in order: one call, which ran once. */
const run = (over: Partial<Run> = {}): Run => ({
  calls: [call('a')],
  sent: [{ call: 'a', backend: 'gateway-2', sentAtMs: 905 }],
  executions: [{ call: 'a', server: 'old', atMs: 950 }],
  phases: [phase()],
  tokens: [],
  limit: null,
  ...over,
});

const breachesOf = (over: Partial<Run>): readonly string[] => check(run(over)).breaches;

test('a run in which everything held has no breach, and its row says what was measured', () => {
  const { breaches, rows } = check(run());
  expect(breaches).toEqual([]);
  expect(rows).toMatchObject([{ name: 'kill -9 gateway-1', calls: 1, ranTwice: 0, recoveryMs: 500, changes: { answered: 3 } }]);
});

describe('a breach is seen:', () => {
  test('a tool that ran twice', () => {
    const executions = [950, 1_200].map((atMs) => ({ call: 'a', server: 'old', atMs }) as const);
    expect(breachesOf({ executions })).toEqual(['kill -9 gateway-1: the call a ran 2 times on old']);
  });

  test('a call that was answered and never ran', () => {
    expect(breachesOf({ executions: [] })).toEqual(['kill -9 gateway-1: the call a was answered and never ran']);
  });

  test('a change that some gateway never heard of', () => {
    const phases = [phase({ recoveredAtMs: null, missing: ['gateway-3 serves revision 7, 9 was answered'] })];
    expect(breachesOf({ phases })).toEqual(['kill -9 gateway-1: did not recover: gateway-3 serves revision 7, 9 was answered']);
  });

  test('a call that failed on a gateway that nobody touched', () => {
    const sent = [{ call: 'b', backend: 'gateway-2', sentAtMs: 905 }];
    expect(breachesOf({ calls: [failed('b')], sent })[0]).toContain('sent to gateway-2 -95 ms into it, failed after 200 ms: fetch failed');
  });

  test('a call that was sent to the killed gateway after it had come back', () => {
    const sent = [{ call: 'b', backend: 'gateway-1', sentAtMs: 2_200 }];
    expect(breachesOf({ calls: [failed('b', { startedAtMs: 2_200, endedAtMs: 2_300 })], sent })).toHaveLength(1);
  });

  test('a revoked token that a gateway took after the revocation was in force there, however much later', () => {
    const token = { id: 't', revokedAtMs: 1_000, confirmed: { 'gateway-1': 1_100 } };
    const tokens = [{ ...token, accepted: [{ gateway: 'gateway-1', askedAtMs: 3_000 }] }];
    expect(breachesOf({ tokens })[0]).toContain('gateway-1 took the revoked token t');
  });

  test('a limit that let through more than it may in any window', () => {
    const ids = Array.from({ length: 23 }, (_, k) => `l${k}`);
    const over = {
      calls: ids.map((id) => call(id, { server: 'limited' })),
      executions: ids.map((id, k) => ({ call: id, server: 'limited', atMs: 1_000 + k }) as const),
      limit: { windowMs: 1_000, max: 20 },
    };
    expect(breachesOf(over)).toEqual(['kill -9 gateway-1: the limit of 20 in 1000 ms let 23 through (22 may be)']);
    expect(check(run(over)).rows[0]?.limitPeak).toBe(1.15);
    expect(breachesOf({ ...over, phases: [phase({ limitFactor: 3 })] })).toEqual([]);
  });

  test('a phase without traffic, and a run without a change', () => {
    expect(breachesOf({ calls: [], phases: [phase({ changes: { answered: 0, confirmed: 0, failed: 0 } })] })).toEqual([
      'kill -9 gateway-1: no call was made, so it proves nothing',
      'no change was made, so nothing is known about changes',
      'no revocation was ever called in force everywhere',
    ]);
  });
});

describe('what a fault may cost is no breach:', () => {
  const sent = [{ call: 'b', backend: 'gateway-1', sentAtMs: 990 }];

  test('a call that was in flight on the gateway that was killed', () => {
    const { breaches, rows } = check(run({ calls: [failed('b')], sent }));
    expect(breaches).toEqual([]);
    expect(rows[0]?.failedOnVictim).toEqual(new Map([['fetch failed', 1]]));
  });

  test('a call that was sent to a gateway while it stood still, also when it fails much later', () => {
    const phases = [
      phase({ kind: 'pause', lostUntilMs: 2_000 }),
      phase({ name: 'next', kind: 'calm', victims: [], beganAtMs: 4_000, mendedAtMs: 4_000 }),
    ];
    const late = failed('b', { startedAtMs: 1_500, endedAtMs: 9_000 });
    expect(breachesOf({ calls: [call('a'), late], sent: [{ call: 'b', backend: 'gateway-1', sentAtMs: 1_500 }], phases })).toEqual([]);
  });

  test('a call of the stdio server whose host was killed, and of no other server', () => {
    const phases = [phase({ victims: ['stdio-host-1'], servers: ['notes'] })];
    const elsewhere = [{ call: 'b', backend: 'gateway-2', sentAtMs: 990 }];
    expect(breachesOf({ calls: [failed('b', { server: 'notes' })], sent: elsewhere, phases })).toEqual([]);
    expect(breachesOf({ calls: [failed('b', { server: 'new' })], sent: elsewhere, phases })).toHaveLength(1);
    expect(
      breachesOf({ calls: [failed('b', { server: 'notes', startedAtMs: 1_400, endedAtMs: 1_500 })], sent: elsewhere, phases }),
    ).toHaveLength(1);
  });

  test('a revoked token on a gateway where the revocation was not in force yet', () => {
    const tokens = [{ id: 't', revokedAtMs: 1_000, confirmed: {}, accepted: [{ gateway: 'gateway-1', askedAtMs: 3_000 }] }];
    expect(breachesOf({ tokens })).toEqual([]);
  });

  test('an answer within the limits', () => {
    const { breaches, rows } = check(run({ calls: [call('l', { outcome: { kind: 'limited' } })] }));
    expect(breaches).toEqual([]);
    expect(rows[0]?.limited).toBe(1);
  });
});
