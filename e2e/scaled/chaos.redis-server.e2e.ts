import { expect, test } from 'vitest';
import { check } from '../chaos/check.ts';
import { renderTable } from '../chaos/report.ts';
import { runChaos } from '../chaos/run-chaos.ts';

test('whatever dies, hangs or lies, only calls in flight on it fail, nothing runs twice, and every change holds everywhere (npm run chaos -- --short)', async () => {
  const print = (line: string): void => void process.stdout.write(`${line}\n`);
  const { breaches, rows } = check(await runChaos({ form: 'short', say: print }));
  print(renderTable(rows));
  expect(breaches).toEqual([]);
}, 600_000);
