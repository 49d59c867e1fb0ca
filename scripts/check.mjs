import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const OWN_NODE = join(ROOT, 'node_modules/.bin/node');
const NODE = existsSync(OWN_NODE) ? OWN_NODE : process.execPath;
const SOURCES = ['apps', 'packages', 'bench', 'e2e', 'scripts', 'tools', 'vitest.config.ts'];

/** Each check is a program of its own: it exits with 0 when the checkout is in order, and prints what is not. */
const CHECKS = [
  { name: 'types', script: 'node_modules/typescript/bin/tsc', args: ['-b'] },
  { name: 'types of tests', script: 'node_modules/typescript/bin/tsc', args: ['-p', 'tsconfig.tests.json'] },
  { name: 'lint', script: 'tools/node_modules/oxlint/bin/oxlint', args: ['--type-aware', '--deny-warnings', ...SOURCES] },
  { name: 'suppressions', script: 'tools/checks/suppressions.mjs', args: [] },
  { name: 'format', script: 'tools/node_modules/@biomejs/biome/bin/biome', args: ['format', '--max-diagnostics=200', '.'] },
  { name: 'boundaries', script: 'tools/boundaries/check.mjs', args: [] },
  { name: 'dead code', script: 'tools/node_modules/knip/bin/knip.js', args: ['--no-progress', '--no-config-hints'] },
  { name: 'versions', script: 'tools/checks/versions.mjs', args: [] },
  { name: 'licences', script: 'tools/checks/licences.mjs', args: [] },
  { name: 'migrations', script: 'tools/migrations/check.mjs', args: [] },
  { name: 'docs', script: 'tools/checks/docs.mjs', args: [] },
  { name: 'generated docs', script: 'scripts/generate-docs.mjs', args: ['--check'] },
];

function run({ script, args }) {
  const startedAt = performance.now();
  const env = { ...process.env, PATH: `${join(ROOT, 'tools/node_modules/.bin')}:${dirname(NODE)}:${process.env.PATH}` };
  const child = spawn(NODE, [join(ROOT, script), ...args], { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const chunks = [];
  child.stdout.on('data', (chunk) => chunks.push(chunk));
  child.stderr.on('data', (chunk) => chunks.push(chunk));
  return new Promise((done) => {
    const end = (failure) => done({ failure, output: Buffer.concat(chunks).toString(), seconds: (performance.now() - startedAt) / 1000 });
    child.on('error', (error) => end(error.message));
    child.on('close', (code, signal) => end(code === 0 ? null : `exit ${code ?? signal}`));
  });
}

async function main() {
  const wanted = process.argv.slice(2);
  const unknown = wanted.filter((name) => !CHECKS.some((check) => check.name === name));
  if (unknown.length > 0) throw new Error(`no such check: ${unknown.join(', ')} (there are: ${CHECKS.map(({ name }) => name).join(', ')})`);
  const queue = CHECKS.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
  let failed = 0;
  const worker = async () => {
    for (let check = queue.shift(); check !== undefined; check = queue.shift()) {
      const { failure, output, seconds } = await run(check);
      process.stdout.write(`${failure === null ? 'ok  ' : 'FAIL'} ${check.name.padEnd(15)} ${seconds.toFixed(1)} s\n`);
      if (failure === null) continue;
      failed += 1;
      process.stdout.write(`${output.trimEnd()}\n`);
    }
  };
  await Promise.all(Array.from({ length: Math.max(2, availableParallelism()) }, worker));
  if (failed > 0) process.stdout.write(`${failed} of the checks failed\n`);
  process.exitCode = failed > 0 ? 1 : 0;
}

await main();
