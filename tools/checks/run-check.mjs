import { resolve } from 'node:path';
import process from 'node:process';

/** Runs `check(root)` over the folder named on the command line, prints its findings, and fails when there are any. */
export async function runCheck(check) {
  const { findings, summary } = await check(resolve(process.argv[2] ?? '.'));
  for (const finding of findings) process.stdout.write(`${finding}\n`);
  process.stdout.write(`${summary}, ${findings.length} findings\n`);
  process.exitCode = findings.length > 0 ? 1 : 0;
}
