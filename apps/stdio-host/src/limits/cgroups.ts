import { randomBytes } from 'node:crypto';
import { accessSync, constants, existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Limits } from './limits.ts';

/** One run's groups: made before it starts, so that nothing of it is ever outside. */
export type Group = {
  /** Files that a process writes its id to, to be held. */
  readonly entrances: readonly string[];
  /** In words, when the kernel ended a process of it for a limit. */
  verdict(): string | null;
  remove(): void;
};

type Hierarchy = { readonly directory: string; readonly version: 1 | 2 };

const NAME = /^patchbay-(\d+)-[0-9a-f]{8}-\d+$/;
const CPU_PERIOD_US = 100_000;
const REMOVE_AGAIN_MS = 100;
/** A minute: a machine that is busy takes long to let go of many processes. */
const REMOVE_ROUNDS = 600;

/** Control groups of this machine, version 1 or 2, below or beside our own. */
export class Cgroups {
  readonly #hierarchies: readonly Hierarchy[];
  readonly #limits: Limits;
  /** No name is ever used again: a group that is still to be removed must not be another's. */
  readonly #names = `patchbay-${process.pid}-${randomBytes(4).toString('hex')}`;
  #last = 0;

  private constructor(hierarchies: readonly Hierarchy[], limits: Limits) {
    this.#hierarchies = hierarchies;
    this.#limits = limits;
  }

  /** null where we may make none that limit memory and tasks. Removes what a host that was killed has left. */
  static find(limits: Limits, proc = '/proc/self'): Cgroups | null {
    try {
      const found = new Cgroups(hierarchies(readFileSync(`${proc}/cgroup`, 'utf8'), readFileSync(`${proc}/mountinfo`, 'utf8')), limits);
      for (const { directory } of found.#hierarchies) removeLeft(directory);
      found.make().remove();
      return found;
    } catch {
      return null;
    }
  }

  /** Throws where the kernel does not let us. */
  make(): Group {
    const name = `${this.#names}-${(this.#last += 1)}`;
    const directories = this.#hierarchies.map(({ directory }) => join(directory, name));
    const remove = (): void => directories.forEach((directory) => removeSoon(directory, REMOVE_ROUNDS));
    try {
      for (const { directory, version } of this.#hierarchies) {
        mkdirSync(join(directory, name));
        limit(join(directory, name), version, this.#limits);
      }
    } catch (error) {
      remove();
      throw error;
    }
    return {
      entrances: directories.map((directory) => join(directory, 'cgroup.procs')),
      verdict: () =>
        directories.some(ranOutOfMemory) ? `it used more than ${this.#limits.memoryBytes / 1024 / 1024} MiB of memory` : null,
      remove,
    };
  }
}

/** Where groups of ours can be: version 1 has a tree for each kind of limit, version 2 has one, in which processes are in leaves only. */
function hierarchies(cgroup: string, mountinfo: string): Hierarchy[] {
  const mounts = mountinfo.split('\n').flatMap((line) => {
    const [left = '', right = ''] = line.split(' - ');
    const [, , , root = '', at = ''] = left.split(' ');
    const [type = '', , options = ''] = right.split(' ');
    return type.startsWith('cgroup') ? [{ root, at, type, options: options.split(',') }] : [];
  });
  const own = cgroup.split('\n').map((line) => line.split(':'));
  const inTree = (root: string, at: string, path: string) => join(at, root === '/' ? path : path.replace(root, ''));
  const version1 = ['memory', 'pids', 'cpu'].flatMap((kind) => {
    const path = own.find(([, kinds]) => kinds?.split(',').includes(kind))?.[2];
    const mount = mounts.find(({ options, type }) => type === 'cgroup' && options.includes(kind));
    return path === undefined || mount === undefined ? [] : [{ directory: inTree(mount.root, mount.at, path), version: 1 as const }];
  });
  if (version1.length === 3) return version1;
  const path = own.find(([id, kinds]) => id === '0' && kinds === '')?.[2];
  const mount = mounts.find(({ type }) => type === 'cgroup2');
  if (path === undefined || mount === undefined || path === '/') throw new Error('no control groups');
  return [{ directory: dirname(inTree(mount.root, mount.at, path)), version: 2 }];
}

function limit(directory: string, version: 1 | 2, { cpus, memoryBytes, tasksMax }: Limits): void {
  const quota = Math.round(cpus * CPU_PERIOD_US);
  const write = (file: string, value: string | number) => writeFileSync(join(directory, file), String(value));
  const mayWrite = (file: string) => mayWriteTo(join(directory, file));
  if (version === 2) {
    write('memory.max', memoryBytes);
    write('pids.max', tasksMax);
    write('cpu.max', `${quota} ${CPU_PERIOD_US}`);
    if (mayWrite('memory.swap.max')) write('memory.swap.max', 0);
    return;
  }
  if (mayWrite('memory.limit_in_bytes')) write('memory.limit_in_bytes', memoryBytes);
  // Swap is memory too; this one may not be below the other.
  if (mayWrite('memory.memsw.limit_in_bytes')) write('memory.memsw.limit_in_bytes', memoryBytes);
  if (mayWrite('pids.max')) write('pids.max', tasksMax);
  if (mayWrite('cpu.cfs_quota_us')) write('cpu.cfs_quota_us', quota);
}

function mayWriteTo(file: string): boolean {
  try {
    accessSync(file, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function ranOutOfMemory(directory: string): boolean {
  for (const file of ['memory.oom_control', 'memory.events']) {
    try {
      if (/^oom_kill [1-9]/m.test(readFileSync(join(directory, file), 'utf8'))) return true;
    } catch {
      // Of the other version, or of another kind.
    }
  }
  return false;
}

/** The last process leaves a moment after we hear of its end. */
function removeSoon(directory: string, rounds: number): void {
  try {
    rmdirSync(directory);
  } catch (error) {
    if (rounds > 0 && (error as NodeJS.ErrnoException).code === 'EBUSY')
      setTimeout(removeSoon, REMOVE_AGAIN_MS, directory, rounds - 1).unref();
  }
}

function removeLeft(directory: string): void {
  for (const name of readdirSync(directory)) {
    const pid = NAME.exec(name)?.[1];
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    removeSoon(join(directory, name), 0);
  }
}
