import process from 'node:process';
import { parseArgs } from 'node:util';
import { simulateLimits } from './limits/simulate-limits.ts';
import { simulatePlacement } from './placement/simulate-placement.ts';
import { simulate } from './simulate.ts';

type Run = { readonly violation: Error | null; readonly trace: readonly string[]; readonly simulatedMs: number };

const WORLDS: Readonly<Record<string, (seed: number) => Promise<Run>>> = {
  distribution: simulate,
  limits: simulateLimits,
  placement: simulatePlacement,
};

// node_modules/.bin/node e2e/simulation/main.ts --seeds 20000 [--world limits] [--from 1] [--trace]
const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    world: { type: 'string', default: Object.keys(WORLDS).join() },
    trace: { type: 'boolean', default: false },
  },
});
const [from, seeds] = [Number(values.from), Number(values.seeds)];
const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** Runs the seeds of one world and says what came of them; the number of those that broke a rule. */
async function runWorld(name: string, simulateOne: (seed: number) => Promise<Run>): Promise<number> {
  const startedAt = process.hrtime.bigint();
  const seconds = (): number => Number(process.hrtime.bigint() - startedAt) / 1e9;
  const sums = new Map<string, number>();
  const failures = new Map<string, number[]>();
  for (let seed = from; seed < from + seeds; seed += 1) {
    const run = await simulateOne(seed);
    for (const [key, value] of Object.entries(run)) {
      if (typeof value === 'number' && key !== 'seed') sums.set(key, (sums.get(key) ?? 0) + value);
    }
    if (run.violation !== null) {
      const rule = run.violation.message.split(':')[0] ?? '';
      const known = failures.get(rule) ?? [];
      failures.set(rule, [...known, seed]);
      if (known.length === 0) say(`seed ${seed}: ${run.violation.stack ?? run.violation.message}\n${run.trace.slice(-40).join('\n')}`);
    } else if (values.trace) say(run.trace.join('\n'));
    if (seed % 1_000 === 0) say(`${seed - from + 1} seeds, ${((seed - from + 1) / seconds()).toFixed(0)} a second`);
  }
  for (const [rule, found] of failures) say(`${found.length} seeds broke "${rule}": ${found.slice(0, 20).join(', ')}`);
  const failed = [...failures.values()].flat().length;
  const counts = [...sums].filter(([key]) => key !== 'simulatedMs').map(([key, sum]) => `${sum} ${key}`);
  const hours = ((sums.get('simulatedMs') ?? 0) / 3_600_000).toFixed(1);
  say(
    `${name}: ${seeds} seeds in ${seconds().toFixed(1)} s (${(seeds / seconds()).toFixed(0)} a second): ${counts.join(', ')}, ` +
      `${hours} simulated hours, ${failed} failures`,
  );
  return failed;
}

let failed = 0;
for (const name of values.world.split(',')) {
  const world = WORLDS[name];
  if (world === undefined) throw new Error(`no such world: ${name} (there are: ${Object.keys(WORLDS).join(', ')})`);
  failed += await runWorld(name, world);
}
process.exitCode = failed > 0 ? 1 : 0;
