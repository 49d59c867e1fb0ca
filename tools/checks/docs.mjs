import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { listFiles } from './files.mjs';
import { runCheck } from './run-check.mjs';

const VARIABLE = /\bPATCHBAY_[A-Z][A-Z_]*[A-Z]\b/g;
const LINK = /\]\((?!https?:|mailto:|#)([^)#\s]+)/g;

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
  return { findings, summary: `${pages.length} pages` };
}

await runCheck(checkDocs);
