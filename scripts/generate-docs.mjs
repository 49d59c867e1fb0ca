import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const TARGET = join(ROOT, 'docs/errors.md');
const OWNERS = {
  caller: 'the caller: the request itself has to change',
  admin: 'an admin of the organisation (or an operator of the installation)',
  upstream: 'whoever runs the MCP server behind Patchbay',
  patchbay: 'us: Patchbay or the machine it runs on',
};

/** The page of every error Patchbay answers with, written from the catalogue, so that it cannot say something else. */
function renderErrors(catalog) {
  const rows = Object.entries(catalog).map(
    ([code, { http, rpc, owner, say }]) => `| \`${code}\` | ${http} | ${rpc} | ${owner} | ${say.replaceAll('|', '\\|')} |`,
  );
  return [
    '# Errors',
    '',
    '<!-- Written by scripts/generate-docs.mjs from packages/errors/src/catalog.ts: change it there. -->',
    '',
    'Every answer that is not a success carries one of these codes. Codes, statuses and numbers are stable: clients may branch on them;',
    'the sentences may get better. The API answers with an RFC 9457 problem document whose `code` member is the code; MCP endpoints',
    'answer with a JSON-RPC error of the given number, or, for a `tools/call` on a visible tool, with a result marked `isError` whose',
    '`_meta` carries the code. The HTTP status is the one used where an answer is plain HTTP.',
    '',
    'The owner is who has to act:',
    '',
    ...Object.entries(OWNERS).map(([owner, text]) => `- **${owner}**: ${text}`),
    '',
    '| code | HTTP | JSON-RPC | owner | what it says |',
    '|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

async function checkErrors(isCheck) {
  const { catalog } = await import(pathToFileURL(join(ROOT, 'packages/errors/src/catalog.ts')).href);
  const text = renderErrors(catalog);
  if (!isCheck) writeFileSync(TARGET, text);
  return textOf(TARGET) === text
    ? []
    : ['docs/errors.md is not what packages/errors/src/catalog.ts says: run `node_modules/.bin/node scripts/generate-docs.mjs`'];
}

/** Its figures are measured, so only its shape can be looked at. */
async function checkReliability() {
  const { isReliabilityPage } = await import(pathToFileURL(join(ROOT, 'e2e/chaos/report.ts')).href);
  if (isReliabilityPage(textOf(join(ROOT, 'docs/reliability.md')))) return [];
  return ['docs/reliability.md is not a page of e2e/chaos/report.ts: run `npm run chaos -- --write-docs`'];
}

/** Likewise. */
async function checkPerformance() {
  const { isPerformancePage } = await import(pathToFileURL(join(ROOT, 'bench/report/page.ts')).href);
  if (isPerformancePage(textOf(join(ROOT, 'docs/performance.md')))) return [];
  return ['docs/performance.md is not a page of bench/report/page.ts: run `npm run bench -- --write`'];
}

function textOf(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

async function main() {
  const isCheck = process.argv.includes('--check');
  const findings = [...(await checkErrors(isCheck)), ...(isCheck ? [...(await checkReliability()), ...(await checkPerformance())] : [])];
  for (const finding of findings) process.stdout.write(`${finding}\n`);
  process.exitCode = findings.length > 0 ? 1 : 0;
}

await main();
