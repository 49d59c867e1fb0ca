import { expect, test } from 'vitest';
import { runFuzz } from './fuzz/run-fuzz.ts';

test('malformed bodies and event streams do not crash, hang or fill a gateway, and smuggle no call past it (npm run fuzz)', async () => {
  const print = (line: string): void => void process.stdout.write(`${line}\n`);
  const seed = Math.floor(Math.random() * 1_000_000);
  print(`seed ${seed}`);
  const { answers, breaches, statuses } = await runFuzz({ bodies: 4_000, seed, say: print });
  expect(breaches).toEqual([]);
  // It was about answers of servers too, and about more than one way to be refused.
  expect(answers).toBeGreaterThan(500);
  expect(statuses.size).toBeGreaterThan(4);
}, 300_000);
