import { readFileSync } from 'node:fs';
import process from 'node:process';

/**
 * One plain line for readers of a CI log: `N passed, N failed`, with the skipped when there are any. It never says
 * `0 failed` of a run that failed, whatever failed: a test, a file that did not load, a check before the tests.
 */
export function summarize(results, exitCode) {
  const passed = results?.numPassedTests ?? 0;
  const skipped = (results?.numPendingTests ?? 0) + (results?.numTodoTests ?? 0);
  const isGreen = exitCode === 0 && results?.success === true;
  const failed = Math.max(results?.numFailedTests ?? 0, isGreen ? 0 : 1);
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

/** The report of vitest's JSON reporter, or null when the run ended before there was one. */
function readResults(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return null;
  }
}

if (process.argv[1]?.endsWith('test-summary.mjs')) {
  const [, , path = '', exitCode = '1'] = process.argv;
  const results = readResults(path);
  process.stdout.write(`${summarize(results, Number(exitCode))}\n`);
  // Nothing was reported although the command ended well: that is a failure too.
  process.exitCode = Number(exitCode) === 0 && results?.success !== true ? 1 : 0;
}
