import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { Baseline, belowBaseline, compare, Exceptions, UPSTREAMS } from './compare.ts';
import type { Check, Outcomes } from './outcomes.ts';

const revision = '2025-11-25';
const cell = { revision, upstream: 'both', form: '1' } as const;
const baseline = { [revision]: { scenarios: 1, checks: 2 } };
const check = (id: string, status = 'SUCCESS'): Check => ({ id, status });
const made = (...checks: Check[]): Outcomes => new Map([['ping', checks]]);
const passing = made(check('a'), check('b'));
const listed = (...checks: string[]): Exceptions => [{ revisions: [revision], upstreams: ['both'], checks, reason: 'Not built yet.' }];
const breachesOf = (direct: Outcomes, through: Outcomes, exceptions: Exceptions = []) =>
  compare({ ...cell, direct, through }, exceptions).breaches;

describe('what passes direct passes through', () => {
  test('a run in which both agree holds', () => {
    expect(breachesOf(passing, passing)).toEqual([]);
  });

  test.each(['FAILURE', 'WARNING', 'SKIPPED'])('a check that ends with %s through us is a breach', (status) => {
    expect(breachesOf(passing, made(check('a'), check('b', status)))).toEqual([
      `2025-11-25, upstream both, pods 1: ping:b passes direct and not through: ${status}`,
    ]);
  });

  test('a check that is not made through us, or less often, is a breach', () => {
    expect(breachesOf(passing, made(check('a')))).toEqual([
      '2025-11-25, upstream both, pods 1: ping:b passes direct and not through: it was not made',
    ]);
    expect(breachesOf(passing, new Map([['ping', []]]))).toHaveLength(2);
    const thrice = made(check('a'), check('a'), check('a'));
    expect(breachesOf(thrice, made(check('a'), check('a')))).toEqual([
      '2025-11-25, upstream both, pods 1: ping:a passes direct and not through: it was made 2 times, direct 3',
    ]);
  });

  test('a check that does not pass direct may end as it likes', () => {
    const direct = made(check('a'), check('b'), check('c', 'WARNING'), check('d'), check('d', 'FAILURE'));
    const through = made(check('a'), check('b'), check('c', 'FAILURE'));
    expect(compare({ ...cell, direct, through }, []).missing).toEqual([]);
  });

  test('a note is no check', () => {
    expect(breachesOf(made(check('a'), check('b'), check('c', 'INFO')), passing)).toEqual([]);
  });
});

describe('the list of what is missing', () => {
  test('a listed check may be missing, and its reason is told', () => {
    const { breaches, missing } = compare({ ...cell, direct: passing, through: made(check('a')) }, listed('ping:b'));
    expect(breaches).toEqual([]);
    expect(missing).toEqual([{ check: 'ping:b', reason: 'Not built yet.' }]);
  });

  test('a listed check that passes, or that nobody knows, is a breach', () => {
    expect(breachesOf(passing, passing, listed('ping:b', 'pong:c'))).toEqual([
      '2025-11-25, upstream both, pods 1: ping:b is listed as missing, and is not',
      '2025-11-25, upstream both, pods 1: pong:c is listed as missing, and is not',
    ]);
  });

  test('an entry for another revision or another upstream excuses nothing', () => {
    const others: Exceptions = [
      { revisions: ['2025-06-18'], upstreams: [...UPSTREAMS], checks: ['ping:b'], reason: 'Not built yet.' },
      { revisions: [revision], upstreams: ['legacy', 'modern'], checks: ['ping:b'], reason: 'Not built yet.' },
    ];
    expect(breachesOf(passing, made(check('a')), others)).toHaveLength(1);
  });
});

test('fewer scenarios or checks passing direct than before is a breach', () => {
  expect(belowBaseline(revision, passing, baseline)).toEqual([]);
  expect(belowBaseline(revision, made(check('a'), check('b', 'FAILURE')), baseline)).toEqual([
    '2025-11-25: 0 scenarios pass direct, the baseline has 1',
    '2025-11-25: 1 checks pass direct, the baseline has 2',
  ]);
  expect(belowBaseline('2026-07-28', passing, baseline)).toEqual(['2026-07-28: the baseline does not know this revision']);
});

test('the committed list and baseline can be read, and no check stands twice in the list', () => {
  const read = (name: string): string => readFileSync(join(import.meta.dirname, name), 'utf8');
  const entries = Exceptions.parse(parse(read('exceptions.yaml'))).flatMap(({ checks, revisions, upstreams }) =>
    revisions.flatMap((one) => upstreams.flatMap((upstream) => checks.map((name) => `${one} ${upstream} ${name}`))),
  );
  expect(new Set(entries).size).toBe(entries.length);
  expect(Object.keys(Baseline.parse(JSON.parse(read('baseline.json'))))).toEqual(['2025-06-18', '2025-11-25', '2026-07-28']);
});
