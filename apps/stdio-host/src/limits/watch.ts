import { lstat, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Limits } from './limits.ts';

/** A run that is looked at from time to time. */
export type Watched = {
  readonly pid: number;
  /** Its data directory. */
  readonly data: string;
  /** Whether the kernel holds its memory and tasks already. */
  readonly isHeld: boolean;
  /** It used more than it may. */
  readonly stop: (why: string) => void;
};

const LOOK_EVERY_MS = 500;
/** A directory with many files takes long to measure: it is measured for a twentieth of the time at most. */
const DISK_REST_FACTOR = 20;
const DISK_REST_MS_MIN = 1_000;
const PAGE_BYTES = 4_096;
const MIB = 1024 * 1024;

/** Holds runs to what the kernel does not: disk everywhere, memory and tasks where there are no control groups (Linux). */
export class Watch {
  readonly #limits: Limits;
  readonly #watched = new Set<Watched>();
  #isLooking = false;
  #measureAtMs = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** The answer ends it. */
  begin(watched: Watched): () => void {
    this.#watched.add(watched);
    if (!this.#isLooking) void this.#look();
    return () => this.#watched.delete(watched);
  }

  /** As long as there is somebody to look at. */
  async #look(): Promise<void> {
    this.#isLooking = true;
    while (this.#watched.size > 0) {
      await sleep(LOOK_EVERY_MS, undefined, { ref: false });
      if (performance.now() >= this.#measureAtMs) void this.#measure();
      await this.#lookAtProcesses();
    }
    this.#isLooking = false;
  }

  async #lookAtProcesses(): Promise<void> {
    const { memoryBytes, tasksMax } = this.#limits;
    const free = [...this.#watched].filter(({ isHeld }) => !isHeld);
    const all = free.length === 0 ? [] : await processes();
    for (const { pid, stop } of free) {
      const { pages, tasks } = usedBy(pid, all);
      if (pages * PAGE_BYTES > memoryBytes) stop(`using more than ${memoryBytes / MIB} MiB of memory`);
      else if (tasks > tasksMax) stop(`running more than ${tasksMax} processes and threads`);
    }
  }

  /** Not waited for: it may take long, and memory is gone sooner than disk. */
  async #measure(): Promise<void> {
    const { diskBytes } = this.#limits;
    const beganAtMs = performance.now();
    this.#measureAtMs = Infinity;
    for (const data of new Set([...this.#watched].map((watched) => watched.data))) {
      if ((await bytesIn(data, diskBytes)) <= diskBytes) continue;
      for (const watched of this.#watched)
        if (watched.data === data) watched.stop(`keeping more than ${diskBytes / MIB} MiB in its directory`);
    }
    const endedAtMs = performance.now();
    this.#measureAtMs = endedAtMs + Math.max(DISK_REST_MS_MIN, (endedAtMs - beganAtMs) * DISK_REST_FACTOR);
  }
}

type Process = { readonly pid: number; readonly parent: number; readonly session: number; readonly tasks: number; readonly pages: number };

/** None where the system does not list them (macOS). */
async function processes(): Promise<Process[]> {
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  const stats = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null)));
  return stats.flatMap((stat, index) => {
    if (stat === null) return [];
    // The name may hold anything, parentheses too: what counts follows the last one.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [parent, session, tasks, pages] = [1, 3, 17, 21].map((at) => Number(fields[at]));
    return [{ pid: Number(pids[index]), parent: parent ?? 0, session: session ?? 0, tasks: tasks ?? 0, pages: pages ?? 0 }];
  });
}

/** The process, all that it started, and all of its session. */
function usedBy(pid: number, all: readonly Process[]): { pages: number; tasks: number } {
  const ours = new Set([pid]);
  for (let before = 0; before !== ours.size; ) {
    before = ours.size;
    for (const one of all) if (ours.has(one.parent) || one.session === pid) ours.add(one.pid);
  }
  const used = all.filter((one) => ours.has(one.pid));
  return { pages: used.reduce((sum, { pages }) => sum + pages, 0), tasks: used.reduce((sum, { tasks }) => sum + tasks, 0) };
}

/** As the disk counts them; stops counting once it is more than `enough`. */
async function bytesIn(directory: string, enough: number): Promise<number> {
  let bytes = 0;
  const open = [directory];
  for (let at = open.pop(); at !== undefined && bytes <= enough; at = open.pop()) {
    for (const entry of await readdir(at, { withFileTypes: true }).catch(() => [])) {
      const path = join(at, entry.name);
      const stats = await lstat(path).catch(() => null);
      bytes += (stats?.blocks ?? 0) * 512;
      if (entry.isDirectory()) open.push(path);
    }
  }
  return bytes;
}
