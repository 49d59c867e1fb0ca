import { expect, test } from 'vitest';
import type { ClientComparison } from './client-side/compare-clients.ts';
import type { Comparison } from './compare.ts';
import { renderMatrix, renderPage } from './report.ts';

const comparison: Comparison = {
  revision: '2025-11-25',
  upstream: 'both',
  form: '3',
  direct: { scenarios: 3, checks: 14 },
  through: { scenarios: 2, checks: 12 },
  missing: [
    { check: 'ping:pong', reason: 'Not built yet.' },
    { check: 'ping:late', reason: null },
  ],
  breaches: [],
};

const clients: ClientComparison = {
  scenario: { name: 'sse-retry', revision: '2025-11-25' },
  client: 'modern',
  direct: 3,
  through: 2,
  missing: [{ check: '2025-11-25 sse-retry:Timing', reason: 'Not built yet.' }],
  breaches: [],
};

test('the matrix says what passes on each side, and how much is missing', () => {
  expect(renderMatrix([comparison])).toBe(
    [
      'revision    upstream  pods  scenarios direct  through  checks direct  through  missing through',
      '2025-11-25  both      3     3                 2        14             12       2',
    ].join('\n'),
  );
});

test('the page gives each reason once, with its rows and checks; and none where nothing is missing', () => {
  const legacy: Comparison = { ...comparison, upstream: 'legacy', missing: comparison.missing.slice(0, 1) };
  const page = renderPage([comparison, legacy], [clients]);
  expect(page).toContain('| 2025-11-25 | both | 3 | 3 | 2 | 14 | 12 | 2 |\n| 2025-11-25 | legacy | 3 | 3 | 2 | 14 | 12 | 1 |');
  expect(page).toContain(
    'Not built yet. Rows: 2025-11-25 both, 2025-11-25 legacy, gateway as the client, modern before it.\n\n- `ping:pong`\n',
  );
  expect(page).toContain('| 2025-11-25 | sse-retry | modern | 3 | 2 | 1 |');
  expect(page).toContain('## Not through the gateway\n');
  expect(page).toContain('- `2025-11-25 sse-retry:Timing`');
  expect(page).toContain('Not listed. Rows: 2025-11-25 both.\n\n- `ping:late`\n');
  expect(renderPage([{ ...comparison, missing: [] }], [])).not.toContain('## Not through');
});
