import process from 'node:process';
import { parseArgs } from 'node:util';
import { simulate } from './simulate.ts';

// node_modules/.bin/node e2e/simulation/main.ts --seeds 20000 [--from 1] [--trace]
const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    trace: { type: 'boolean', default: false },
  },
});
const [from, seeds] = [Number(values.from), Number(values.seeds)];
const startedAt = process.hrtime.bigint();
const seconds = (): number => Number(process.hrtime.bigint() - startedAt) / 1e9;
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const sums = { events: 0, calls: 0, admitted: 0, confirmations: 0, simulatedMs: 0 };
const failures = new Map<string, number[]>();

for (let seed = from; seed < from + seeds; seed += 1) {
  const run = await simulate(seed);
  for (const key of Object.keys(sums) as (keyof typeof sums)[]) sums[key] += run[key];
  if (run.violation !== null) {
    const rule = run.violation.message.split(':')[0] ?? '';
    const known = failures.get(rule) ?? [];
    failures.set(rule, [...known, seed]);
    if (known.length === 0) say(`seed ${seed}: ${run.violation.stack ?? run.violation.message}\n${run.trace.slice(-40).join('\n')}`);
  } else if (values.trace) say(run.trace.join('\n'));
  if (seed % 1_000 === 0) say(`${seed - from + 1} seeds, ${((seed - from + 1) / seconds()).toFixed(0)} a second`);
}
for (const [rule, found] of failures) say(`${found.length} seeds broke "${rule}": ${found.slice(0, 20).join(', ')}`);
say(
  `${seeds} seeds in ${seconds().toFixed(1)} s (${(seeds / seconds()).toFixed(0)} a second): ${sums.events} events, ${sums.calls} calls (${sums.admitted} admitted), ${sums.confirmations} confirmations, ` +
    `${(sums.simulatedMs / 3_600_000).toFixed(1)} simulated hours, ${[...failures.values()].flat().length} failures`,
);
process.exitCode = failures.size > 0 ? 1 : 0;
