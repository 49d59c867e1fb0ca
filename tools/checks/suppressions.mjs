import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { listFiles } from './files.mjs';
import { runCheck } from './run-check.mjs';

const DIRECTIVE =
  /(?:\/\/|\/\*+|^\s*\*)\s*(oxlint-disable(?:-next-line|-line)?|eslint-disable(?:-next-line|-line)?|biome-ignore\S*|@ts-(?:expect-error|ignore|nocheck))(.*)$/;
const REASON_CHARACTERS_MIN = 10;

/**
 * Every suppression says why, after ` -- ` (for @ts-expect-error and biome-ignore: after a colon), and names the rule.
 * Not a lint rule, because a suppression would silence that too.
 */
function checkSuppressions(root) {
  const paths = listFiles(root, '{apps,packages,e2e,scripts,tools}/**/*.{ts,mts,tsx,js,mjs,cjs}');
  const findings = [];
  for (const path of paths) {
    for (const [index, line] of readFileSync(join(root, path), 'utf8').split('\n').entries()) {
      const [, directive, rest] = DIRECTIVE.exec(line) ?? [];
      if (directive === undefined) continue;
      const text = rest.replace(/\*\/.*$/, '').trim();
      const problem = problemOf(directive, text);
      if (problem !== null) findings.push(`${path}:${index + 1}: ${directive} ${problem}`);
    }
  }
  if (paths.length === 0) findings.push('no source file was read');
  return { findings, summary: `${paths.length} files` };
}

function problemOf(directive, text) {
  if (/^@ts-(ignore|nocheck)$/.test(directive)) return 'hides every error: use @ts-expect-error with a reason';
  const isLint = /^(oxlint|eslint)-/.test(directive);
  if (isLint && /^(--|$)/.test(text)) return 'silences every rule: name the one that is meant';
  const reason = (isLint ? text.split(' -- ')[1] : text.replace(/^[^:]*:/, ''))?.trim() ?? '';
  return reason.length < REASON_CHARACTERS_MIN ? `without a reason: write one after '${isLint ? ' -- ' : ':'}'` : null;
}

await runCheck(checkSuppressions);
