import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import * as programs from './programs.mjs';

// The way from a clone to a running program, with nothing but Node's built-ins: this process stays as the parent of what it starts.
const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const PNPM = 'pnpm@12.21.0';
const STAMPS = join(ROOT, 'node_modules/.cache/patchbay');
/** Programs that suites need and this machine lacked. */
const OWN_BIN = join(STAMPS, 'bin');
const PROGRAMS = ['cli', 'control-plane', 'gateway', 'stdio-host'].map((name) => `apps/${name}`);
const CONTROL_PLANE = join(ROOT, 'apps/control-plane');
/** Each program by itself, for deployments of several machines (docs/scaling.md). `stays`: it runs until it is told to stop. */
const ALONE = {
  'control-plane': { script: 'apps/control-plane/dist/main.js', stays: true },
  gateway: { script: 'apps/gateway/dist/main.js', stays: true },
  'stdio-host': { script: 'apps/stdio-host/dist/main.js', stays: true },
  migrate: { script: 'apps/control-plane/dist/migrate.js', stays: false },
  'first-start': { script: 'apps/control-plane/dist/first-start.js', stays: false },
  keys: { script: 'apps/cli/dist/make-keys-main.js', stays: false },
  connect: { script: 'apps/cli/dist/main.js', stays: false, command: 'connect' },
};
const EXAMPLES = {
  PATCHBAY_EXAMPLE_EVERYTHING: 'apps/cli/node_modules/@modelcontextprotocol/server-everything/dist/index.js',
  PATCHBAY_EXAMPLE_MEMORY: 'apps/cli/node_modules/@modelcontextprotocol/server-memory/dist/index.js',
};
const OUTPUT_KEPT = 64 * 1024;

let current = null;
let stopSignal = null;

const at = (path) => join(ROOT, path);
const byName = (a, b) => (a < b ? -1 : 1);
const say = (line) => (process.argv[2] in ALONE ? process.stderr : process.stdout).write(`${line}\n`);

class Failure extends Error {}

/** Folders that hold a package.json of ours. */
function packageFolders() {
  const inside = (folder) => (existsSync(at(folder)) ? readdirSync(at(folder)).map((name) => `${folder}/${name}`) : []);
  return ['.', 'bench', 'e2e', 'tools', ...inside('apps'), ...inside('packages'), ...inside('tools')].filter((folder) =>
    existsSync(at(`${folder}/package.json`)),
  );
}

function hashOf(files) {
  const hash = createHash('sha256');
  for (const file of [...files].sort(byName))
    if (existsSync(at(file)))
      hash
        .update(`${file}\0`)
        .update(readFileSync(at(file)))
        .update('\0');
  return hash.digest('hex');
}

/** Names, sizes and times of everything below the folders: far cheaper than reading it, and the compiler looks closer itself. */
function shapeOf(paths) {
  const hash = createHash('sha256');
  const visit = (path) => {
    const facts = statSync(at(path), { throwIfNoEntry: false });
    if (facts === undefined) return;
    if (!facts.isDirectory()) hash.update(`${path}\0${facts.size}\0${facts.mtimeMs}\n`);
    else for (const name of readdirSync(at(path)).sort(byName)) if (name !== 'node_modules' && name !== 'dist') visit(`${path}/${name}`);
  };
  for (const path of paths) visit(path);
  return hash.digest('hex');
}

function isStamped(name, value) {
  try {
    return readFileSync(join(STAMPS, name), 'utf8') === value;
  } catch {
    return false;
  }
}

function stamp(name, value) {
  mkdirSync(STAMPS, { recursive: true });
  writeFileSync(join(STAMPS, name), value);
}

/** Runs a step that is not worth watching: its output is shown when it fails. */
async function step(title, [command, ...args], options = {}) {
  const startedAt = Date.now();
  say(`${title} …`);
  const chunks = [];
  const code = await run([command, ...args], { stdio: ['ignore', 'pipe', 'pipe'], ...options }, (chunk) => chunks.push(chunk));
  if (code !== 0) {
    say(Buffer.concat(chunks).subarray(-OUTPUT_KEPT).toString().trimEnd());
    throw new Failure(`${title}: failed (exit ${code})`);
  }
  say(`${title}: ${((Date.now() - startedAt) / 1000).toFixed(1)} s`);
}

/** Runs a program to its end; a signal to us reaches it. Resolves with an exit code. */
function run([command, ...args], options, onOutput = null) {
  const child = spawn(command, args, { cwd: ROOT, ...options });
  current = child;
  if (onOutput !== null) for (const stream of [child.stdout, child.stderr]) stream.on('data', onOutput);
  return new Promise((done, failed) => {
    child.once('error', (error) => failed(new Failure(`${command}: ${error.message}`)));
    child.once('close', (code, signal) => {
      current = null;
      if (stopSignal !== null && onOutput !== null) process.exit(130);
      done(code ?? (signal === 'SIGINT' ? 130 : 1));
    });
  });
}

async function install() {
  const files = ['pnpm-lock.yaml', 'pnpm-workspace.yaml', ...packageFolders().map((folder) => `${folder}/package.json`)];
  const wanted = hashOf(files);
  if (isStamped('installed', wanted)) return;
  rmSync(join(STAMPS, 'installed'), { force: true });
  const windows = process.platform === 'win32';
  await step('Installing dependencies', [windows ? 'npx.cmd' : 'npx', '--yes', PNPM, 'install', '--frozen-lockfile'], { shell: windows });
  stamp('installed', wanted);
}

/** The Node that everything of ours runs on: the installed one, or the machine's own where none is packaged. */
function findNode() {
  const packaged = [`node_modules/node-${process.platform}-${process.arch}/bin/node`, 'node_modules/.bin/node'].find((path) =>
    existsSync(at(path)),
  );
  if (packaged !== undefined) return realpathSync(at(packaged));
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 22 || (major === 22 && minor >= 19)) return process.execPath;
  throw new Failure(`On ${process.platform}-${process.arch} Patchbay needs Node 22.19 or newer; this is ${process.versions.node}.`);
}

async function generate(node) {
  const wanted = hashOf(['prisma/schema.prisma', 'apps/control-plane/prisma.config.ts', 'apps/control-plane/package.json']);
  if (isStamped('generated', wanted) && existsSync(join(CONTROL_PLANE, 'src/generated/prisma/client.ts'))) return;
  await step('Generating the database client', [node, 'node_modules/prisma/build/index.js', 'generate'], { cwd: CONTROL_PLANE });
  stamp('generated', wanted);
}

async function build(node, projects) {
  const folders = packageFolders().filter((folder) => /^(apps|packages)\//.test(folder));
  const sources = folders.flatMap((folder) => [`${folder}/src`, `${folder}/tsconfig.json`, `${folder}/package.json`]);
  const wanted = shapeOf([...sources, 'tsconfig.base.json', 'tsconfig.json', 'pnpm-lock.yaml']);
  const built = PROGRAMS.every((program) => existsSync(at(`${program}/dist/main.js`)));
  if (built && isStamped('built', wanted)) return;
  // The compiler trusts its own record, also where somebody removed what it wrote.
  for (const folder of folders)
    if (!['main', 'index'].some((name) => existsSync(at(`${folder}/dist/${name}.js`))))
      rmSync(at(`${folder}/dist`), { recursive: true, force: true });
  await step('Building', [node, 'node_modules/typescript/bin/tsc', '-b', ...projects]);
  stamp('built', wanted);
}

async function up(args) {
  const node = findNode();
  await generate(node);
  await build(node, PROGRAMS);
  // The pipe that is its stdin closes when we are gone, however that happened: it ends then, in order.
  const env = { ...process.env, PATCHBAY_EXIT_WITH_PARENT: '1' };
  return run([node, '--disable-sigusr1', at('apps/cli/dist/main.js'), 'up', ...args], {
    cwd: process.cwd(),
    env,
    stdio: ['pipe', 'inherit', 'inherit'],
  });
}

/** One program with the environment it is given. Its own output alone goes to stdout, which may be read by another program. */
async function alone(command, args) {
  const node = findNode();
  await generate(node);
  await build(node, PROGRAMS);
  const { script, stays, command: own } = ALONE[command];
  const wantsExamples = command === 'first-start' && args[0] === '--examples';
  const examples = wantsExamples ? Object.fromEntries(Object.entries(EXAMPLES).map(([name, path]) => [name, at(path)])) : {};
  // As in `up`: the pipe closes when we are gone, however that happened.
  const env = { ...process.env, ...examples, ...(stays ? { PATCHBAY_EXIT_WITH_PARENT: '1' } : {}) };
  return run([node, '--disable-sigusr1', at(script), ...(own === undefined ? [] : [own]), ...(wantsExamples ? args.slice(1) : args)], {
    cwd: process.cwd(),
    env,
    stdio: [stays ? 'pipe' : 'inherit', 'inherit', 'inherit'],
  });
}

/** Brings the programs that the chosen suites need, where that can be done; what is still missing, named. */
async function preparePrograms(args, env) {
  const suites = programs.chosenSuites(programs.findSuites(ROOT), args);
  const hasProgram = (name) => programs.isOnPath(name, env.PATH);
  const hasPreviousCommit = () => programs.hasPreviousCommit(ROOT);
  const missing = () => programs.missingFor(suites, { env, hasProgram, hasPreviousCommit });
  await bringPrograms(programs.installable(missing(), programs.thisMachine()));
  for (const line of programs.leftOutLines(missing(), env)) say(line);
  return missing();
}

/** A failure is said and nothing more: the suites that need it are named afterwards. */
async function bringPrograms({ packages, files }) {
  if (packages.length + files.length === 0) return;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const install = ['apt-get', 'install', '-y', '--no-install-recommends', ...packages];
  try {
    await step('apt-get update', ['apt-get', 'update'], { env });
    if (packages.length > 0) await step(install.join(' '), install, { env });
    for (const need of files) await takeFile(need, env);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    say(error.message);
  }
}

/** One file of a Debian package, in a folder of our own that the tests' PATH ends with. */
async function takeFile({ debianPackage, file, program }, env) {
  const folder = join(STAMPS, 'packages', debianPackage);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  mkdirSync(OWN_BIN, { recursive: true });
  // As root, apt would drop to a user who may not write here.
  await step(`apt-get download ${debianPackage}`, ['apt-get', '-o', 'APT::Sandbox::User=root', 'download', debianPackage], {
    cwd: folder,
    env,
  });
  const [archive] = readdirSync(folder);
  await step(`Taking ${program} out of it`, ['dpkg-deb', '-x', archive, 'content'], { cwd: folder, env });
  copyFileSync(join(folder, 'content', file), join(OWN_BIN, program));
  rmSync(folder, { recursive: true, force: true });
}

async function test(args) {
  const node = findNode();
  const env = { ...process.env, PATH: `${dirname(node)}:${process.env.PATH ?? ''}:${OWN_BIN}` };
  await generate(node);
  await build(node, []);
  const missing = await preparePrograms(args, env);
  let checks = 0;
  if (args.length > 0) say('The checks of the code are left out, because tests were chosen.');
  else checks = await run([node, at('scripts/check.mjs')], { env, stdio: 'inherit' });
  if (stopSignal !== null) return 130;
  const leftOut = missing.flatMap(({ suites }) => suites.flatMap((suite) => ['--exclude', suite]));
  const tests = await run([node, at('node_modules/vitest/vitest.mjs'), 'run', ...leftOut, ...args], { env, stdio: 'inherit' });
  // Again at the end, where it is read.
  for (const line of programs.leftOutLines(missing, env)) say(line);
  return programs.exitCodeWith(tests === 0 ? checks : tests, missing, env);
}

/** A program of the tests that stands on a platform of its own, and what it needs to: what `suites` need that test the same. */
async function onPlatform(script, suites, args) {
  const node = findNode();
  const env = { ...process.env, PATH: `${dirname(node)}:${process.env.PATH ?? ''}:${OWN_BIN}` };
  await generate(node);
  await build(node, []);
  const missing = await preparePrograms([suites], env);
  if (missing.length > 0) return 1;
  return run([node, at(script), ...args], { env, stdio: 'inherit' });
}

/** Runs faults against a scaled platform of its own; e2e/chaos/main.ts says which. */
const chaos = (args) => onPlatform('e2e/chaos/main.ts', 'chaos.redis-server', args);

/** Runs the official conformance suite, direct and through platforms of its own; e2e/conformance/main.ts says what must hold. */
const conformance = (args) => onPlatform('e2e/conformance/main.ts', 'conformance.redis-server', args);

/** Sends malformed bodies and answers to a gateway of its own; e2e/fuzz/main.ts says what must hold. */
const fuzz = (args) => onPlatform('e2e/fuzz/main.ts', 'fuzz.e2e', args);

/** Measures what a gateway costs, beside yardsticks; bench/main.ts says what with. */
const bench = (args) => onPlatform('bench/main.ts', 'bench/short', args);

const soak = (args) => onPlatform('bench/soak/main.ts', 'bench/short', args);

const COMMANDS = { up, test, chaos, conformance, fuzz, bench, 'bench:soak': soak };

async function main() {
  const [command, ...args] = process.argv.slice(2);
  if (Number(process.versions.node.split('.')[0]) < 18)
    throw new Failure(`Patchbay needs Node 20 or newer; this is ${process.versions.node}.`);
  if (!Object.hasOwn(COMMANDS, command) && !(command in ALONE))
    throw new Failure(`usage: node scripts/bootstrap.mjs ${Object.keys({ ...COMMANDS, ...ALONE }).join(' | ')}`);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      stopSignal = signal;
      if (current === null) process.exit(130);
      current.kill(signal);
    });
  }
  await install();
  return command in ALONE ? alone(command, args) : COMMANDS[command](args);
}

main().then(
  (code) => process.exit(code),
  (error) => {
    process.stderr.write(`${error instanceof Failure ? error.message : error.stack}\n`);
    process.exit(1);
  },
);
