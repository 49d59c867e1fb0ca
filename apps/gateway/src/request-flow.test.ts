import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FINAL_STEP, PIPELINE } from './pipeline/index.ts';

test('docs/architecture/request-flow.md tells the same steps in the same order', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/architecture/request-flow.md'), 'utf8');
  const documented = [...page.matchAll(/^## \d+\. (\S+)$/gm)].map(([, name]) => name);
  expect(documented).toEqual([...Object.keys(PIPELINE), FINAL_STEP]);
});
