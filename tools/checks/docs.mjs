import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { listFiles } from './files.mjs';
import { runCheck } from './run-check.mjs';

const VARIABLE = /\bPATCHBAY_[A-Z][A-Z_]*[A-Z]\b/g;
const LINK = /\]\((?!https?:|mailto:|#)([^)#\s]+)/g;

const TRAPS = 'docs/architecture/protocol-traps.md';
const TRAPS_COUNT = 34;

/** Each trap of the protocol has a row, and each file that the row links has a test whose title ends with the trap's number. */
function checkTraps(root) {
  const lines = readFileSync(join(root, TRAPS), 'utf8').split('\n');
  return Array.from({ length: TRAPS_COUNT }, (_, index) => index + 1).flatMap((number) => {
    const row = lines.find((line) => line.startsWith(`| ${number} |`)) ?? '';
    const files = [...row.matchAll(LINK)].map(([, target]) => join(dirname(TRAPS), target));
    const titled = new RegExp(String.raw`\(trap ${number}\)['"\`]`);
    const silent = files.filter((file) => existsSync(join(root, file)) && !titled.test(readFileSync(join(root, file), 'utf8')));
    if (files.length === 0) return [`${TRAPS}: no test is linked for trap ${number}`];
    return silent.map((file) => `${TRAPS}: no test in ${file} is about trap ${number}`);
  });
}

/** What the pages name exists: every relative link leads to a file, every variable is one that a program reads. */
function checkDocs(root) {
  const known = new Set(readFileSync(join(root, 'packages/contracts/src/environment.ts'), 'utf8').match(VARIABLE));
  const pages = listFiles(root, '{*.md,docs/**/*.md}');
  const findings = [];
  for (const page of pages) {
    const text = readFileSync(join(root, page), 'utf8');
    for (const [, target] of text.matchAll(LINK)) {
      if (!existsSync(join(root, dirname(page), target))) findings.push(`${page}: the link to ${target} leads nowhere`);
    }
    for (const name of new Set(text.match(VARIABLE))) {
      if (!known.has(name)) findings.push(`${page}: no program reads ${name} (packages/contracts/src/environment.ts)`);
    }
  }
  if (pages.length === 0) findings.push('no page was read');
  if (pages.includes(TRAPS)) findings.push(...checkTraps(root));
  return { findings, summary: `${pages.length} pages` };
}

await runCheck(checkDocs);
