import { parseArgs } from 'node:util';
import { runSoak } from './run-soak.ts';

// `npm run bench:soak`: ten minutes of mixed work; prints resident memory minute by minute and exits with 1 where it grows.
const { values } = parseArgs({ options: { minutes: { type: 'string', default: '10' } } });
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const { growth, isFlat } = await runSoak(Number(values.minutes), say);
say(`Collected memory ${isFlat ? 'is flat' : 'grows'}: ${(growth * 100).toFixed(1)} % from the first third to the last.`);
process.exitCode = isFlat ? 0 : 1;
