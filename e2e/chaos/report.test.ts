import { expect, test } from 'vitest';
import type { Row } from './check.ts';
import { isReliabilityPage, renderPage, renderTable } from './report.ts';

const row = (over: Partial<Row> = {}): Row => ({
  name: 'kill -9 gateway-1',
  calls: 120,
  limited: 3,
  failedOnVictim: new Map([['fetch failed', 2]]),
  failedElsewhere: new Map(),
  ranTwice: 0,
  changes: { answered: 5, confirmed: 2, failed: 1 },
  revokedAccepted: 0,
  limitPeak: 1.02,
  recoveryMs: 1_234,
  ...over,
});

const FACTS = { form: 'long', date: '2026-11-24', machine: '2 cores', seconds: 300 };

test('a line says every figure, with the reasons of failures', () => {
  const [, line] = renderTable([row()]).split('\n');
  expect(line?.split(/ {2,}/)).toEqual([
    'kill -9 gateway-1',
    '120',
    '2 × fetch failed',
    '0',
    '0',
    '5, 2 confirmed, 1 unanswered',
    '0',
    '102 %',
    '1.2 s',
  ]);
  expect(renderTable([row({ recoveryMs: null })])).toContain('never');
});

test('a page of whatever run is known as one; a page with other words, without figures or with a cell missing is not', () => {
  const page = renderPage([row(), row({ failedElsewhere: new Map([['a | b', 1]]) })], FACTS);
  expect(isReliabilityPage(page)).toBe(true);
  expect(isReliabilityPage(page.replace('one fault after another', 'nothing bad'))).toBe(false);
  expect(isReliabilityPage(renderPage([], FACTS))).toBe(false);
  expect(isReliabilityPage(page.replace('| 120 ', ''))).toBe(false);
});
