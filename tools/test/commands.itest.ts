import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeCheckout } from './support/checkout.ts';

test('the check command passes with its checks, and fails with the output of the one that fails', async () => {
  const checkout = makeCheckout({ copied: ['scripts/check.mjs', 'tools/checks'], installed: false });
  const check = (...names: string[]) => checkout.run(join(checkout.root, 'scripts/check.mjs'), ...names);
  checkout.write({ 'package.json': '{}', 'apps/sample/src/main.ts': 'export {};\n' });
  expect(await check('versions')).toEqual({ code: 0, output: expect.stringMatching(/^ok {3}versions +\d+\.\d s\n$/) });
  checkout.write({ 'package.json': JSON.stringify({ dependencies: { zod: '4.0.0' } }) });
  const { code, output } = await check('versions', 'suppressions');
  expect(code).toBe(1);
  expect(output).toMatch(/^ok {3}suppressions/m);
  expect(output).toMatch(/^FAIL versions .*\npackage\.json: zod is pinned to '4\.0\.0' here/m);
  expect(await check('no such check')).toMatchObject({ code: 1 });
});

test('CI ends with one plain line and with the exit code of the test command', () => {
  const checkout = makeCheckout({ copied: ['.ci/run', 'scripts/test-summary.mjs'], installed: false });
  const report = (results: object) => `mkdir -p .cache && echo '${JSON.stringify(results)}' > .cache/test-results.json`;
  const ci = (command: string) => {
    checkout.write({ 'package.json': JSON.stringify({ name: 'sample', scripts: { test: command } }) });
    const { status, stdout } = spawnSync(join(checkout.root, '.ci/run'), { encoding: 'utf8' });
    return { status, last: stdout.trimEnd().split('\n').at(-1) };
  };
  const green = { success: true, numPassedTests: 3, numFailedTests: 0 };
  expect(ci(report(green))).toEqual({ status: 0, last: '3 passed, 0 failed' });
  expect(ci(`${report({ success: false, numPassedTests: 2, numFailedTests: 1 })}; exit 7`)).toEqual({
    status: 7,
    last: '2 passed, 1 failed',
  });
  // The report of an earlier run counts for nothing.
  expect(ci('exit 3')).toEqual({ status: 3, last: '0 passed, 1 failed' });
  expect(ci('true')).toEqual({ status: 1, last: '0 passed, 1 failed' });
});
