import { resolve } from 'node:path';
import process from 'node:process';
import { COMMANDS } from '../tools/migrations/commands.mjs';
import { Problem } from '../tools/migrations/problem.mjs';

// CONTRIBUTING.md, "Changing the database". Exit codes: 0 in order, 2 a difference was found and printed, 1 refused.
const [name, ...args] = process.argv.slice(2);
try {
  if (!Object.hasOwn(COMMANDS, name ?? '')) throw new Problem(`usage: scripts/migrations.mjs ${Object.keys(COMMANDS).join(' | ')}`);
  process.exitCode = await COMMANDS[name]({ root: resolve('.'), args, say: (line) => process.stdout.write(`${line}\n`) });
} catch (error) {
  process.stderr.write(`${error instanceof Problem ? error.message : error.stack}\n`);
  process.exitCode = 1;
}
