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

async function main() {
  const { catalog } = await import(pathToFileURL(join(ROOT, 'packages/errors/src/catalog.ts')).href);
  const text = renderErrors(catalog);
  if (!process.argv.includes('--check')) return writeFileSync(TARGET, text);
  if (existsSync(TARGET) && readFileSync(TARGET, 'utf8') === text) return;
  process.stdout.write(
    'docs/errors.md is not what packages/errors/src/catalog.ts says: run `node_modules/.bin/node scripts/generate-docs.mjs`\n',
  );
  process.exitCode = 1;
}

await main();
