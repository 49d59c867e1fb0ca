import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import process from 'node:process';

/**
 * What some suites need and npm does not carry: programs, and the commit before. A suite says what it needs in its file's name, as in `counters.redis.itest.ts`.
 * `variable`: the address of a running one does as well. `file`: the one file of the package that is taken, because the rest of it
 * would install a service.
 */
export const NEEDS = [
  { marker: 'redis', program: 'redis-server', debianPackage: 'redis-server', variable: 'REDIS_URL' },
  // For suites that kill, pause or configure servers of their own.
  { marker: 'redis-server', program: 'redis-server', debianPackage: 'redis-server' },
  // For the benchmark: an upstream that is never what limits, a yardstick, and the load.
  { marker: 'nginx', program: 'nginx', debianPackage: 'nginx', file: 'usr/sbin/nginx' },
  { marker: 'wrk', program: 'wrk', debianPackage: 'wrk' },
  { marker: 'promtool', program: 'promtool', debianPackage: 'prometheus', file: 'usr/bin/promtool' },
  // For suites that run the previous commit's programs beside these. No program: what is missing is the commit.
  { marker: 'history', variable: 'PATCHBAY_PREVIOUS_COMMIT' },
];
/** Why a run in CI has no history to take the previous commit from, in words. */
const EXCUSE = 'PATCHBAY_NO_HISTORY_BECAUSE';

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
  for (const folder of ['apps', 'bench', 'e2e', 'packages', 'tools']) if (existsSync(join(root, folder))) visit(folder);
  return suites.sort((a, b) => (a < b ? -1 : 1));
}

/** The suites that vitest would run with these arguments: its filters are parts of paths. */
export function chosenSuites(suites, args) {
  const filters = args.filter((arg, k) => !arg.startsWith('-') && !OPTIONS_WITH_VALUE.has(args[k - 1]));
  return filters.length === 0 ? suites : suites.filter((suite) => filters.some((filter) => suite.includes(filter)));
}

/** What is missing for these suites, as `{ need, suites }`. */
export function missingFor(suites, { env, hasProgram, hasPreviousCommit }) {
  const has = (need) => (need.program === undefined ? hasPreviousCommit() : hasProgram(need.program));
  return NEEDS.map((need) => ({ need, suites: suites.filter((suite) => suite.split('/').at(-1).split('.').includes(need.marker)) })).filter(
    ({ need, suites: needing }) => needing.length > 0 && !(need.variable !== undefined && env[need.variable]) && !has(need),
  );
}

/** What would bring what is missing: Debian packages to install, and files to take out of others; none where we may not. */
export function installable(missing, { uid, isDebian }) {
  const allowed = uid === 0 && isDebian ? missing.map(({ need }) => need).filter(({ program }) => program !== undefined) : [];
  return {
    packages: [...new Set(allowed.filter(({ file }) => file === undefined).map(({ debianPackage }) => debianPackage))],
    files: allowed.filter(({ file }) => file !== undefined),
  };
}

/** A line for each suite that cannot run here: its path and what it lacks. */
export function leftOutLines(missing, env) {
  return missing.flatMap(({ need, suites }) => suites.map((suite) => `left out: ${suite} (${lacks(need, env)})`));
}

function lacks({ debianPackage, program, variable }, env) {
  if (program === undefined) {
    const excuse = env[EXCUSE] ? `; none because ${env[EXCUSE]}` : '';
    return `needs the previous commit: a clone with history, or ${variable}${excuse}`;
  }
  const instead = variable === undefined ? '' : `, or ${variable}`;
  return `needs ${program} on the PATH${instead}; Debian package ${debianPackage}`;
}

/**
 * Left-out suites end a run in CI as failures; elsewhere they do not change the outcome. History alone may be missing in CI, when
 * somebody says why.
 */
export function exitCodeWith(code, missing, env) {
  const unexcused = missing.filter(({ need }) => need.program !== undefined || !env[EXCUSE]);
  return code === 0 && unexcused.length > 0 && env.CI === 'true' ? 1 : code;
}

/** Whether this folder is the root of a clone that has the commit before its own: not a tarball, not the last commit alone. */
export function hasPreviousCommit(root) {
  const git = (...args) => spawnSync('git', args, { cwd: root, encoding: 'utf8' });
  const place = git('rev-parse', '--show-prefix');
  return place.status === 0 && place.stdout.trim() === '' && git('rev-parse', '--verify', '--quiet', 'HEAD~1^{commit}').status === 0;
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
