import { readFileSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { runOpenLoop } from '../load/open-loop.ts';

// A load of fixed arrival rates in a process of its own: what it is to do is in a file, what came of it is written to another.
const [planFile = '', answerFile = ''] = process.argv.slice(2);
const Plan = z.object({
  port: z.number(),
  perSecond: z.number(),
  seconds: z.number(),
  connections: z.number(),
  requests: z.array(z.string()),
});
writeFileSync(answerFile, JSON.stringify(await runOpenLoop(Plan.parse(JSON.parse(readFileSync(planFile, 'utf8'))))));
