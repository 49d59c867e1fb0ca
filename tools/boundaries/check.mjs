import { existsSync, globSync } from 'node:fs';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { cruise } from 'dependency-cruiser';
import { RULES } from './rules.mjs';

const OPTIONS = {
  ruleSet: { forbidden: RULES },
  validate: true,
  doNotFollow: { path: 'node_modules' },
  exclude: { path: '(^|/)dist/|/src/generated/' },
  // Before compilation: an import of a type only is an arrow too.
  tsPreCompilationDeps: true,
  combinedDependencies: true,
};
const RESOLVE = {
  conditionNames: ['patchbay-source', 'import', 'node', 'default'],
  exportsFields: ['exports'],
  extensions: ['.ts', '.mts', '.js', '.mjs', '.json'],
};

/** Cruises the checkout at `root` and returns its violations, one line each, with the number of modules read. */
export async function checkBoundaries(root) {
  const sources = globSync('{apps,packages}/*/{src,test}/**/*.ts', {
    cwd: root,
    exclude: ['**/node_modules/**', '**/dist/**', '**/generated/**'],
  });
  const folders = ['apps', 'packages'].filter((folder) => existsSync(join(root, folder)));
  const { output } = await cruise(folders, { ...OPTIONS, baseDir: root }, RESOLVE);
  const read = output.modules.filter(({ source }) => /^(apps|packages)\/[^/]+\/(src|test)\/.*\.ts$/.test(source)).length;
  const arrows = output.modules.reduce((sum, { dependencies }) => sum + dependencies.length, 0);
  const violations = output.summary.violations
    .filter(({ rule }) => rule.severity === 'error')
    .map(({ rule, from, to, cycle }) => `${rule.name}: ${from} → ${cycle ? cycle.map(({ name }) => name).join(' → ') : to}`);
  return { read, expected: sources.length, arrows, violations };
}

async function main() {
  const root = resolve(process.argv[2] ?? '.');
  process.chdir(root);
  const { read, expected, arrows, violations } = await checkBoundaries(root);
  const comments = new Map(RULES.map(({ name, comment }) => [name, comment]));
  for (const violation of violations) process.stdout.write(`${violation}\n  ${comments.get(violation.split(':')[0])}\n`);
  // With a TypeScript it cannot use, the cruiser reads nothing and finds nothing wrong.
  const blind = read < expected || expected === 0 || arrows === 0;
  if (blind) process.stdout.write(`Only ${read} of ${expected} modules (${arrows} imports) were read: the check would pass unseen code.\n`);
  process.stdout.write(`${read} modules, ${arrows} imports, ${violations.length} violations\n`);
  process.exitCode = blind || violations.length > 0 ? 1 : 0;
}

await main();
