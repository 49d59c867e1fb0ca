import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { Baseline, compare, Exceptions } from './compare.ts';
import type { Check, Outcomes } from './outcomes.ts';

const revision = '2025-11-25';
const baseline = { [revision]: { scenarios: 1, checks: 2 } };
const check = (id: string, status = 'SUCCESS'): Check => ({ id, status });
const made = (...checks: Check[]): Outcomes => new Map([['ping', checks]]);
const passing = made(check('a'), check('b'));
const listed = (...checks: string[]) => [{ revision, checks, reason: 'Not built yet.' }];
const breachesOf = (direct: Outcomes, through: Outcomes, exceptions: Exceptions = []) =>
  compare({ revision, direct, through }, exceptions, baseline).breaches;

describe('what passes direct passes through', () => {
  test('a run in which both agree holds', () => {
    expect(breachesOf(passing, passing)).toEqual([]);
  });

  test.each(['FAILURE', 'WARNING', 'SKIPPED'])('a check that ends with %s through us is a breach', (status) => {
    expect(breachesOf(passing, made(check('a'), check('b', status)))).toEqual([
      `2025-11-25: ping:b passes direct and fails through: ${status}`,
    ]);
  });

  test('a check that is not made through us, or less often, is a breach', () => {
    expect(breachesOf(passing, made(check('a')))).toEqual(['2025-11-25: ping:b passes direct and fails through: it was not made']);
    expect(breachesOf(passing, new Map([['ping', []]]))).toHaveLength(2);
    const thrice = made(check('a'), check('a'), check('a'));
    expect(breachesOf(thrice, made(check('a'), check('a')))).toEqual([
      '2025-11-25: ping:a passes direct and fails through: it was made 2 times, direct 3',
    ]);
  });

  test('a check that does not pass direct may end as it likes', () => {
    const direct = made(check('a'), check('b'), check('c', 'WARNING'), check('d'), check('d', 'FAILURE'));
    const through = made(check('a'), check('b'), check('c', 'FAILURE'));
    expect(compare({ revision, direct, through }, [], baseline).missing).toEqual([]);
  });

  test('a note is no check', () => {
    expect(breachesOf(made(check('a'), check('b'), check('c', 'INFO')), passing)).toEqual([]);
  });
});

describe('the list of what is missing', () => {
  test('a listed check may be missing, and its reason is told', () => {
    const { breaches, missing } = compare({ revision, direct: passing, through: made(check('a')) }, listed('ping:b'), baseline);
    expect(breaches).toEqual([]);
    expect(missing).toEqual([{ check: 'ping:b', message: 'it was not made', reason: 'Not built yet.' }]);
  });

  test('a listed check that passes, or that nobody knows, is a breach', () => {
    expect(breachesOf(passing, passing, listed('ping:b', 'pong:c'))).toEqual([
      '2025-11-25: ping:b is listed as missing, and is not',
      '2025-11-25: pong:c is listed as missing, and is not',
    ]);
  });

  test('an entry for another revision excuses nothing', () => {
    const other = [{ revision: '2025-06-18', checks: ['ping:b'], reason: 'Not built yet.' }];
    expect(breachesOf(passing, made(check('a')), other)).toHaveLength(1);
  });
});

test('fewer scenarios or checks passing direct than before is a breach, also where both sides agree', () => {
  const fewer = made(check('a'), check('b', 'FAILURE'));
  expect(breachesOf(fewer, fewer)).toEqual([
    '2025-11-25: 0 scenarios pass direct, the baseline has 1',
    '2025-11-25: 1 checks pass direct, the baseline has 2',
  ]);
  expect(compare({ revision: '2026-07-28', direct: passing, through: passing }, [], baseline).breaches).toEqual([
    '2026-07-28: the baseline does not know this revision',
  ]);
});

test('the committed list and baseline can be read, and no check stands twice in the list', () => {
  const read = (name: string): string => readFileSync(join(import.meta.dirname, name), 'utf8');
  const entries = Exceptions.parse(parse(read('exceptions.yaml'))).flatMap((each) => each.checks.map((name) => `${each.revision} ${name}`));
  expect(new Set(entries).size).toBe(entries.length);
  expect(Object.keys(Baseline.parse(JSON.parse(read('baseline.json'))))).toEqual(['2025-06-18', '2025-11-25', '2026-07-28']);
});
