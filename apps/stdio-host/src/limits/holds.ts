import { constants, setPriority } from 'node:os';
import type { Cgroups } from './cgroups.ts';
import type { Limits } from './limits.ts';
import { Watch } from './watch.ts';

/** One run under its limits, until `release`. */
export type Held = {
  /** In words, when the kernel ended it for a limit. */
  verdict(): string | null;
  release(): void;
};

/** Holds a process that has just been started; `stop` is called when it must end. */
export type Hold = (pid: number, stop: (why: string) => void) => Held;

export type Prepared = {
  /** Files that the process writes its id to before it does anything else. */
  readonly entrances: readonly string[];
  readonly hold: Hold;
};

/** What holds servers to their limits on this machine: the kernel where it lets us, else looking at them. */
export class Holds {
  readonly limits: Limits;
  readonly #cgroups: Cgroups | null;
  readonly #watch: Watch;

  /** `cgroups`: null where there are none that we may use. */
  constructor(limits: Limits, cgroups: Cgroups | null) {
    this.limits = limits;
    this.#cgroups = cgroups;
    this.#watch = new Watch(limits);
  }

  /** `kernel`: memory, tasks and processor time cannot be exceeded; `watched`: who exceeds memory or tasks is ended soon after. */
  get by(): 'kernel' | 'watched' {
    return this.#cgroups === null ? 'watched' : 'kernel';
  }

  /** For one start of a server with this data directory. Throws where the kernel is to hold it and does not: nothing starts unheld. */
  prepare(data: string): Prepared {
    const group = this.#cgroups?.make() ?? null;
    return {
      entrances: group?.entrances ?? [],
      hold: (pid, stop) => {
        // Where processors are not shared out, servers at least come after us.
        if (group === null) yieldTo(pid);
        const end = pid === 0 ? () => undefined : this.#watch.begin({ pid, data, isHeld: group !== null, stop });
        return {
          verdict: () => group?.verdict() ?? null,
          release: () => {
            end();
            group?.remove();
          },
        };
      },
    };
  }
}

function yieldTo(pid: number): void {
  try {
    setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // It has ended already.
  }
}
