import { expect, test } from 'vitest';
import type { Results } from './figures.ts';
import { isPerformancePage, renderPage } from './page.ts';

const results: Results = {
  date: '2026-11-24',
  commit: '0123456789ab',
  machine: { processor: 'Some', cores: 2, memoryGb: 24, kernel: '6', node: 'v24', nginx: '1', wrk: '4' },
  seconds: 60,
  remarks: [],
  lines: [{ name: 'call', work: 'a | call', budget: '≤ 1', bound: 1, figure: 2, text: '2 ×', verdict: 'missed' }],
};

test('a page says what was missed, and is known as one whatever it measured', () => {
  const page = renderPage(results);
  expect(page).toContain('| `call` | a \\| call | ≤ 1 | 2 × | **missed** |');
  expect([page, renderPage({ ...results, remarks: ['The machine was busy.'] })].map(isPerformancePage)).toEqual([true, true]);
});

test('a page without figures, or with words of somebody else, is none', () => {
  const page = renderPage(results);
  const changed = [renderPage({ ...results, lines: [] }), page.replace('Everything is on', 'Some is on'), page.replace('| 2 × ', ''), ''];
  expect(changed.map(isPerformancePage)).toEqual([false, false, false, false]);
});
