import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import process from 'node:process';

/**
 * Programs that some suites need and npm does not carry. A suite says what it needs in its file's name, as in `counters.redis.itest.ts`.
 * `variable`: the address of a running one does as well. `file`: the one file of the package that is taken, because the rest of it
 * would install a service.
 */
export const NEEDS = [
  { marker: 'redis', program: 'redis-server', debianPackage: 'redis-server', variable: 'REDIS_URL' },
  // For suites that kill, pause or configure servers of their own.
  { marker: 'redis-server', program: 'redis-server', debianPackage: 'redis-server' },
  { marker: 'promtool', program: 'promtool', debianPackage: 'prometheus', file: 'usr/bin/promtool' },
];

const SUITE = /\.(?:itest|e2e)\.ts$/;
/** Options of vitest whose value is the next argument. */
const OPTIONS_WITH_VALUE = new Set(['--project', '--exclude', '--config', '-c', '-t', '--testNamePattern', '--reporter', '--root', '-r']);

/** Paths from `root` of every suite that uses more than this process. */
export function findSuites(root) {
  const suites = [];
  const visit = (folder) => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      if (entry.name === 'node_modules' || entry.name === 'dist' || entry.name.startsWith('.')) continue;
      if (entry.isDirectory()) visit(`${folder}/${entry.name}`);
      else if (SUITE.test(entry.name)) suites.push(`${folder}/${entry.name}`);
    }
  };
  for (const folder of ['apps', 'e2e', 'packages', 'tools']) if (existsSync(join(root, folder))) visit(folder);
  return suites.sort((a, b) => (a < b ? -1 : 1));
}

/** The suites that vitest would run with these arguments: its filters are parts of paths. */
export function chosenSuites(suites, args) {
  const filters = args.filter((arg, k) => !arg.startsWith('-') && !OPTIONS_WITH_VALUE.has(args[k - 1]));
  return filters.length === 0 ? suites : suites.filter((suite) => filters.some((filter) => suite.includes(filter)));
}

/** What is missing for these suites, as `{ need, suites }`. */
export function missingFor(suites, { env, hasProgram }) {
  return NEEDS.map((need) => ({ need, suites: suites.filter((suite) => suite.split('/').at(-1).split('.').includes(need.marker)) })).filter(
    ({ need, suites: needing }) => needing.length > 0 && !(need.variable !== undefined && env[need.variable]) && !hasProgram(need.program),
  );
}

/** What would bring what is missing: Debian packages to install, and files to take out of others; none where we may not. */
export function installable(missing, { uid, isDebian }) {
  const allowed = uid === 0 && isDebian ? missing.map(({ need }) => need) : [];
  return {
    packages: [...new Set(allowed.filter(({ file }) => file === undefined).map(({ debianPackage }) => debianPackage))],
    files: allowed.filter(({ file }) => file !== undefined),
  };
}

/** A line for each suite that cannot run here: its path and what it lacks. */
export function leftOutLines(missing) {
  return missing.flatMap(({ need, suites }) =>
    suites.map((suite) => {
      const instead = need.variable === undefined ? '' : `, or ${need.variable}`;
      return `left out: ${suite} (needs ${need.program} on the PATH${instead}; Debian package ${need.debianPackage})`;
    }),
  );
}

/** Left-out suites end a run in CI as failures; elsewhere they do not change the outcome. */
export function exitCodeWith(code, missing, env) {
  return code === 0 && missing.length > 0 && env.CI === 'true' ? 1 : code;
}

/** Whether the PATH leads to an executable of this name. */
export function isOnPath(program, path = process.env.PATH ?? '') {
  return path.split(delimiter).some((folder) => {
    try {
      if (folder === '') return false;
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** What decides whether we may install: root, on a Debian with apt-get. */
export function thisMachine() {
  return { uid: process.getuid?.() ?? -1, isDebian: existsSync('/etc/debian_version') && isOnPath('apt-get') };
}
