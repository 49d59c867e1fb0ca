import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from './scaled/program.ts';

const PNPM = 'pnpm@12.21.0';
const PROGRAMS = ['apps/gateway', 'apps/stdio-host', 'apps/control-plane'] as const;
const GENERATED = 'apps/control-plane/src/generated';
/** What a manifest may need, and whether pods report what they enforce: as the build's own contracts say. */
const ASK = `import * as c from '@patchbay/contracts';
console.log(JSON.stringify({ features: c.MANIFEST_FEATURES ?? [], reports: c.PODS !== undefined }));`;

export type Knows = { readonly features: readonly string[]; readonly reports: boolean };

/** The programs of the commit before this one, built in a folder of their own. */
export type PreviousBuild = { readonly root: string; readonly knows: Knows; dispose(): void };

/** Leaves nothing behind when it fails, and nothing in git whatever happens. */
export async function buildPrevious(): Promise<PreviousBuild> {
  const root = mkdtempSync(join(tmpdir(), 'patchbay-previous-'));
  const dispose = (): void => rmSync(root, { recursive: true, force: true });
  try {
    await takeCommit(root);
    if (isSame(root, 'pnpm-lock.yaml')) linkDependencies(root);
    else await run('npx', ['--yes', PNPM, 'install', '--frozen-lockfile', '--prefer-offline'], root);
    await generateClient(root);
    await run(process.execPath, ['node_modules/typescript/bin/tsc', '-b', ...PROGRAMS], root);
    for (const program of PROGRAMS) refuseOurs(root, program);
    return { root, knows: await knowledgeOf(root), dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

export async function knowledgeOf(root: string): Promise<Knows> {
  const said = await run(process.execPath, ['--input-type=module', '-e', ASK], join(root, 'apps/gateway'));
  return JSON.parse(said) as Knows;
}

async function takeCommit(root: string): Promise<void> {
  const archive = join(root, 'previous.tar');
  await run('git', ['archive', '--output', archive, process.env['PATCHBAY_PREVIOUS_COMMIT'] || 'HEAD~1'], ROOT);
  await run('tar', ['-xf', archive], root);
  rmSync(archive);
}

/** Third-party packages are ours; links to packages of the workspace are relative, so that copied ones lead to that commit's. */
function linkDependencies(root: string): void {
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  const inside = (folder: string): string[] => readdirSync(join(root, folder)).map((name) => `${folder}/${name}`);
  for (const folder of [...inside('apps'), ...inside('packages')]) {
    const from = join(ROOT, folder, 'node_modules');
    if (existsSync(from)) cpSync(from, join(root, folder, 'node_modules'), { recursive: true, verbatimSymlinks: true });
  }
}

async function generateClient(root: string): Promise<void> {
  const inputs = ['prisma/schema.prisma', 'apps/control-plane/prisma.config.ts', 'pnpm-lock.yaml'];
  if (inputs.every((file) => isSame(root, file))) cpSync(join(ROOT, GENERATED), join(root, GENERATED), { recursive: true });
  else await run(process.execPath, ['node_modules/prisma/build/index.js', 'generate'], join(root, 'apps/control-plane'));
}

function isSame(root: string, file: string): boolean {
  return readFileSync(join(root, file), 'utf8') === readFileSync(join(ROOT, file), 'utf8');
}

/** A build that reaches into this checkout would be half this commit. */
function refuseOurs(root: string, program: string): void {
  const folder = join(root, program, 'node_modules/@patchbay');
  for (const name of readdirSync(folder)) {
    const leadsTo = realpathSync(join(folder, name));
    if (!leadsTo.startsWith(`${realpathSync(root)}/`)) throw new Error(`${program} of the previous commit would use ${leadsTo}`);
  }
}

async function run(command: string, args: readonly string[], cwd: string): Promise<string> {
  return (await promisify(execFile)(command, args, { cwd, maxBuffer: 16 * 1024 * 1024 })).stdout;
}
