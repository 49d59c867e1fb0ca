import { expect, test } from 'vitest';
import type { Comparison } from './compare.ts';
import { renderMatrix, renderPage } from './report.ts';

const comparison: Comparison = {
  revision: '2025-11-25',
  direct: { scenarios: 3, checks: 14 },
  through: { scenarios: 2, checks: 12 },
  missing: [
    { check: 'ping:pong', message: 'it was not made', reason: 'Not built yet.' },
    { check: 'ping:late', message: 'FAILURE', reason: null },
  ],
  breaches: [],
};

test('the matrix says what passes on each side, and what is missing with whether that was known', () => {
  expect(renderMatrix([comparison])).toBe(
    [
      'revision    scenarios direct  through  checks direct  through  missing through',
      '2025-11-25  3                 2        14             12       2',
      '2025-11-25 ping:pong: listed (it was not made)',
      '2025-11-25 ping:late: NOT LISTED (FAILURE)',
    ].join('\n'),
  );
});

test('the page gives each missing check under its reason, and no section where nothing is missing', () => {
  const page = renderPage([comparison, { ...comparison, revision: '2026-07-28', missing: [] }]);
  expect(page).toContain('| 2025-11-25 | 3 | 2 | 14 | 12 | 2 |\n| 2026-07-28 | 3 | 2 | 14 | 12 | 0 |');
  expect(page).toContain('## Not yet through the gateway, 2025-11-25\n\nNot built yet.\n\n- `ping:pong`\n');
  expect(page).not.toContain('Not yet through the gateway, 2026-07-28');
});
