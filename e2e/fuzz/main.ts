import { parseArgs } from 'node:util';
import { runFuzz } from './run-fuzz.ts';

// `npm run fuzz`: 100,000 malformed requests, or as many as `--bodies` says, from the seed that `--seed` says; exits with 1 when something gives way.
const { values } = parseArgs({ options: { bodies: { type: 'string', default: '100000' }, seed: { type: 'string' } } });
const seed = values.seed === undefined ? Math.floor(Math.random() * 1_000_000) : Number(values.seed);
const print = (line: string): void => void process.stdout.write(`${line}\n`);
const startedAt = performance.now();
print(`seed ${seed}`);
const { answers, breaches, heapMegabytes, statuses } = await runFuzz({ bodies: Number(values.bodies), seed, say: print });
for (const [status, count] of [...statuses].toSorted(([a], [b]) => (a < b ? -1 : 1))) print(`${status.padEnd(6)} ${count}`);
print(`${answers} reached a server; heap ${heapMegabytes.before.toFixed(0)} MB before, ${heapMegabytes.after.toFixed(0)} MB after`);
for (const breach of breaches) print(`breach: ${breach}`);
print(
  `${breaches.length === 0 ? 'It holds' : `${breaches.length} breaches`} after ${((performance.now() - startedAt) / 1_000).toFixed(0)} s.`,
);
process.exit(breaches.length === 0 ? 0 : 1);
