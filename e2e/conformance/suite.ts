import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { Check, Outcomes } from './outcomes.ts';

/** Revisions as the suite knows them, each with what makes it run all that the revision is about. */
export const REVISIONS = {
  '2025-06-18': ['--suite', 'all', '--spec-version', '2025-06-18'],
  '2025-11-25': ['--requirements', '2025-11-25'],
  '2026-07-28': ['--requirements', '2026-07-28'],
} as const;
export type Revision = keyof typeof REVISIONS;

const RUN_MS_MAX = 180_000;
const CLIENT_MS_MAX = 60_000;
const OUTPUT_KEPT = 4_000;
const TIMESTAMP = /-\d{4}-\d\d-\d\dT[\d-]+Z$/;
const Checks = z.array(z.object({ id: z.string(), name: z.string().optional(), status: z.string(), errorMessage: z.string().optional() }));

/** Runs the official suite against one URL. Its exit code says nothing here: what it checked is read from what it wrote. */
export async function runSuite(url: string, revision: Revision): Promise<Outcomes> {
  return runAndRead(['server', '--url', url, ...REVISIONS[revision]]);
}

export type ClientScenario = { readonly name: string; readonly revision: Revision };
/** A check of a scenario for clients. There, one id stands for many checks, which their names tell apart. */
export type ClientCheck = Check & { readonly name?: string | undefined };

/** Runs one of the suite's scenarios for clients: a server of the suite's own, whose URL the command is given as its last argument. */
export async function runClientScenario({ name, revision }: ClientScenario, command: string): Promise<readonly ClientCheck[]> {
  const options = ['--command', command, '--scenario', name, '--spec-version', revision, '--timeout', String(CLIENT_MS_MAX)];
  const outcomes = await runAndRead(['client', ...options]);
  return outcomes.get(name) ?? [];
}

async function runAndRead(args: readonly string[]): Promise<ReadonlyMap<string, readonly ClientCheck[]>> {
  const folder = await mkdtemp(join(tmpdir(), 'patchbay-conformance-'));
  try {
    const output = await run([...args, '-o', folder]);
    const outcomes = await readOutcomes(folder);
    if (outcomes.size === 0) throw new Error(`the suite checked nothing:\n${output.slice(-OUTPUT_KEPT)}`);
    return outcomes;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Resolves with what it printed, whatever its exit code. */
async function run(args: readonly string[]): Promise<string> {
  const script = join(dirname(createRequire(import.meta.url).resolve('@modelcontextprotocol/conformance/package.json')), 'dist/index.js');
  const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'pipe'], timeout: RUN_MS_MAX });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
  const signal = await new Promise<NodeJS.Signals | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (_code, by) => resolve(by));
  });
  const output = Buffer.concat(chunks).toString();
  if (signal !== null) throw new Error(`the suite was ended by ${signal} after ${RUN_MS_MAX} ms:\n${output.slice(-OUTPUT_KEPT)}`);
  return output;
}

/** One folder a scenario, named after it and the time; `server-` before it where a server was checked. */
async function readOutcomes(folder: string): Promise<ReadonlyMap<string, readonly ClientCheck[]>> {
  const outcomes = new Map<string, readonly ClientCheck[]>();
  for (const name of (await readdir(folder)).sort()) {
    const scenario = name.replace(/^server-/, '').replace(TIMESTAMP, '');
    const file = join(folder, name, 'checks.json');
    // A scenario that broke off has made none of its checks.
    outcomes.set(scenario, existsSync(file) ? Checks.parse(JSON.parse(await readFile(file, 'utf8'))) : []);
  }
  return outcomes;
}
