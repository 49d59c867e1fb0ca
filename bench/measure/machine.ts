import { spawnSync } from 'node:child_process';

import { cpus, loadavg, release, totalmem } from 'node:os';

/** What figures depend on. */
export type Machine = {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly kernel: string;
  readonly node: string;
  readonly nginx: string;
  readonly wrk: string;
};

const BYTES_PER_GB = 1e9;

export function thisMachine(): Machine {
  const found = cpus();
  return {
    processor: found[0]?.model.trim() ?? 'unknown',
    cores: found.length,
    memoryGb: Math.round(totalmem() / BYTES_PER_GB),
    kernel: release(),
    node: process.version,
    nginx: versionIn(said('nginx', '-v')),
    wrk: versionIn(said('wrk', '-v')),
  };
}

/** What else it is doing, in words; null: next to nothing. To be asked before a run. */
export function neighbours(): string | null {
  const [load = 0] = loadavg();
  const cores = cpus().length;
  if (load < cores * BUSY_SHARE) return null;
  return `The machine was busy before the run began (load ${load.toFixed(1)} on ${cores} cores): what is said in milliseconds or MB/s is not to be believed.`;
}

const BUSY_SHARE = 0.25;

/** The commit that is checked out. */
export function commitOf(root: string): string {
  return spawnSync('git', ['rev-parse', '--short=12', 'HEAD'], { cwd: root, encoding: 'utf8' }).stdout.trim();
}

function said(program: string, option: string): string {
  const { stderr, stdout } = spawnSync(program, [option], { encoding: 'utf8' });
  return `${stdout}${stderr}`;
}

function versionIn(text: string): string {
  return /\d+(?:\.\d+)+/.exec(text)?.[0] ?? 'unknown';
}
