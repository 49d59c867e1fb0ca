import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import {
  chosenSuites,
  exitCodeWith,
  findSuites,
  hasPreviousCommit,
  installable,
  isOnPath,
  leftOutLines,
  missingFor,
  NEEDS,
} from './programs.mjs';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const suites = [
  'apps/gateway/test/state.itest.ts',
  'e2e/scaled.redis.e2e.ts',
  'packages/ports/test/redis.itest.ts',
  'packages/ports/test/crash.redis-server.itest.ts',
];
const nothing = { env: {}, hasProgram: () => false };

/** Names of the suites that lack something. */
const lacking = (machine) => missingFor(suites, machine).map(({ need, suites: needing }) => [need.marker, needing]);

test('without redis-server every suite that names it lacks it, and no other', () => {
  expect(lacking(nothing)).toEqual([
    ['redis', ['e2e/scaled.redis.e2e.ts', 'packages/ports/test/redis.itest.ts']],
    ['redis-server', ['packages/ports/test/crash.redis-server.itest.ts']],
  ]);
});

test('with redis-server nothing is missing', () => {
  expect(lacking({ env: {}, hasProgram: (name) => name === 'redis-server' })).toEqual([]);
});

test('REDIS_URL serves the suites that need some Redis, not those that need servers of their own', () => {
  expect(lacking({ ...nothing, env: { REDIS_URL: 'redis://127.0.0.1:6379' } })).toEqual([
    ['redis-server', ['packages/ports/test/crash.redis-server.itest.ts']],
  ]);
  expect(lacking({ ...nothing, env: { REDIS_URL: '' } })).toHaveLength(2);
});

test('nothing is asked for that the chosen tests do not need', () => {
  expect(chosenSuites(suites, [])).toEqual(suites);
  expect(chosenSuites(suites, ['apps/gateway', 'crash'])).toEqual([suites[0], suites[3]]);
  expect(chosenSuites(suites, ['none-of-these', '--passWithNoTests'])).toEqual([]);
  expect(chosenSuites(suites, ['--project', 'integration', '-t', 'crash'])).toEqual(suites);
});

test('each package is installed once, by root on Debian alone', () => {
  const missing = missingFor(suites, nothing);
  expect(installable(missing, { uid: 0, isDebian: true })).toEqual({ packages: ['redis-server'], files: [] });
  expect(installable(missing, { uid: 1000, isDebian: true })).toEqual({ packages: [], files: [] });
  expect(installable(missing, { uid: 0, isDebian: false })).toEqual({ packages: [], files: [] });
});

test('of a package that would install a service only the program is taken', () => {
  const missing = missingFor(['tools/test/deploy.promtool.itest.ts'], nothing);
  const { packages, files } = installable(missing, { uid: 0, isDebian: true });
  expect(packages).toEqual([]);
  expect(files).toMatchObject([{ debianPackage: 'prometheus', file: 'usr/bin/promtool' }]);
});

test('each suite left out is named with what it lacks', () => {
  expect(leftOutLines(missingFor(suites, nothing), {})).toEqual([
    'left out: e2e/scaled.redis.e2e.ts (needs redis-server on the PATH, or REDIS_URL; Debian package redis-server)',
    'left out: packages/ports/test/redis.itest.ts (needs redis-server on the PATH, or REDIS_URL; Debian package redis-server)',
    'left out: packages/ports/test/crash.redis-server.itest.ts (needs redis-server on the PATH; Debian package redis-server)',
  ]);
});

test('a suite left out fails a run in CI, and never hides another failure', () => {
  const missing = missingFor(suites, nothing);
  expect(exitCodeWith(0, missing, { CI: 'true' })).toBe(1);
  expect(exitCodeWith(0, [], { CI: 'true' })).toBe(0);
  expect(exitCodeWith(0, missing, {})).toBe(0);
  expect(exitCodeWith(130, missing, { CI: 'true' })).toBe(130);
});

test('a suite of upgrades wants the commit before, which nobody can install, and CI wants it too unless somebody says why not', () => {
  const upgrade = ['e2e/upgrade.redis-server.history.e2e.ts'];
  const here = { env: {}, hasProgram: () => true };
  expect(missingFor(upgrade, { ...here, hasPreviousCommit: () => true })).toEqual([]);
  expect(missingFor(upgrade, { ...here, env: { PATCHBAY_PREVIOUS_COMMIT: 'abc' }, hasPreviousCommit: () => false })).toEqual([]);
  const missing = missingFor(upgrade, { ...here, hasPreviousCommit: () => false });
  expect(installable(missing, { uid: 0, isDebian: true })).toEqual({ packages: [], files: [] });
  const line = `left out: ${upgrade[0]} (needs the previous commit: a clone with history, or PATCHBAY_PREVIOUS_COMMIT`;
  expect(leftOutLines(missing, {})).toEqual([`${line})`]);
  expect(exitCodeWith(0, missing, { CI: 'true' })).toBe(1);
  const excused = { CI: 'true', PATCHBAY_NO_HISTORY_BECAUSE: 'a tarball is tested' };
  expect(leftOutLines(missing, excused)).toEqual([`${line}; none because a tarball is tested)`]);
  expect(exitCodeWith(0, missing, excused)).toBe(0);
  expect(exitCodeWith(0, missingFor(suites, nothing), excused)).toBe(1);
});

test('the commit before is that of a clone’s root: not of its first commit, of a folder in it, of none', () => {
  const root = mkdtempSync(join(tmpdir(), 'patchbay-history-'));
  const commit = () =>
    execFileSync('git', ['-c', 'user.name=x', '-c', 'user.email=x@example.com', 'commit', '-q', '--allow-empty', '-m', 'x'], { cwd: root });
  try {
    expect(hasPreviousCommit(root)).toBe(false);
    execFileSync('git', ['init', '-q'], { cwd: root });
    commit();
    expect(hasPreviousCommit(root)).toBe(false);
    commit();
    expect(hasPreviousCommit(root)).toBe(true);
    mkdirSync(join(root, 'tarball'));
    expect(hasPreviousCommit(join(root, 'tarball'))).toBe(false);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});

test('a program is found on the PATH and nowhere else', () => {
  expect(isOnPath('sh', '/nowhere:/bin')).toBe(true);
  expect(isOnPath('sh', '/nowhere::')).toBe(false);
});

const markersOf = (suite) => suite.split('/').at(-1).split('.');
/** A suite that needs a server of its own needs no other one. */
const covers = (named, needed) => named === needed || (named === 'redis-server' && needed === 'redis');

test('every suite that starts a Redis says so in its name', () => {
  const starts = { redis: /\btestRedis\(/, 'redis-server': /\btestRedisServer\(/, promtool: /\bpromtool\(/ };
  const found = findSuites(ROOT);
  expect(found.length).toBeGreaterThan(20);
  for (const { marker } of NEEDS) {
    const unnamed = found.filter(
      (suite) => starts[marker]?.test(readFileSync(join(ROOT, suite), 'utf8')) && !markersOf(suite).some((each) => covers(each, marker)),
    );
    expect(unnamed, `name these *.${marker}.*`).toEqual([]);
  }
});
