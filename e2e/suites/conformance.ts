import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Form } from '../conformance/forms.ts';
import { renderClients, renderMatrix, renderRow } from '../conformance/report.ts';
import { runMatrix } from '../conformance/run-matrix.ts';
import { type Revision, REVISIONS } from '../conformance/suite.ts';

/** The official suite through gateways in one form, each request on any of them; what docs/conformance.md says of it is what comes out. */
export function conformance(form: Form, where: string): void {
  test(`what passes direct in the official suite passes through ${where}, each request on any of them (npm run conformance)`, async () => {
    const print = (line: string): void => void process.stdout.write(`${line}\n`);
    const revisions = Object.keys(REVISIONS) as Revision[];
    const { breaches, clients, comparisons } = await runMatrix({ forms: [form], revisions, say: print });
    print(renderMatrix(comparisons));
    if (clients.length > 0) print(renderClients(clients));
    expect(breaches).toEqual([]);
    const page = readFileSync(join(import.meta.dirname, '../../docs/conformance.md'), 'utf8');
    for (const comparison of comparisons) expect(page).toContain(renderRow(comparison));
  }, 300_000);
}
