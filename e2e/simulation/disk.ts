import type { Files } from '../../apps/gateway/dist/snapshot/files.js';
import type { Random } from './random.ts';
import type { Owner, Scheduler } from './scheduler.ts';

/** The disk of one pod. A write reaches it whole or not at all, a little later; not at all when its process was killed before. */
export class Disk {
  files = new Map<string, Buffer>();
  readonly #random: Random;
  readonly #scheduler: Scheduler;

  constructor(random: Random, scheduler: Scheduler) {
    this.#random = random;
    this.#scheduler = scheduler;
  }

  /** Gone, as with a pod that starts on another machine. */
  lose(): void {
    this.files = new Map();
  }

  readJson<T>(path: string): T | null {
    const bytes = this.files.get(path);
    return bytes === undefined ? null : (JSON.parse(bytes.toString('utf8')) as T);
  }

  /** What one start of the pod sees. */
  as(owner: Owner): Files {
    const take = async (): Promise<void> => {
      await this.#scheduler.sleep(this.#random.chance(0.05) ? this.#random.between(0, 200) : this.#random.between(0, 2));
      if (!owner.alive) await new Promise(() => undefined);
    };
    return {
      read: async (path) => {
        await take();
        return this.files.get(path) ?? null;
      },
      list: async (folder) => {
        await take();
        const below = [...this.files.keys()].filter((path) => path.startsWith(`${folder}/`));
        return [...new Set(below.map((path) => path.slice(folder.length + 1).split('/')[0] ?? ''))];
      },
      writeAtomically: async (path, bytes) => {
        const kept = Buffer.from(bytes);
        await take();
        this.files.set(path, kept);
      },
      remove: async (path) => {
        await take();
        this.files.delete(path);
      },
    };
  }
}
