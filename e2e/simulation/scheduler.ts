import { AsyncLocalStorage } from 'node:async_hooks';

/** Whose code runs: a process of the simulation. What a dead one has still planned never happens. */
export type Owner = { readonly name: string; alive: boolean };

type Planned = { readonly atMs: number; readonly order: number; readonly owner: Owner; cancelled: boolean; run(): void };

const nextTurn = setImmediate;
/** What belongs to no process and goes on whoever dies: messages under way. */
export const WORLD: Owner = { name: 'world', alive: true };

/** What the modules get for a timer. */
class Timer {
  planned: Planned | null = null;
  cleared = false;
  unref(): this {
    return this;
  }
  ref(): this {
    return this;
  }
  hasRef(): boolean {
    return true;
  }
  /** Begins anew. */
  refresh: () => Timer = () => this;
}

/**
 * Time that moves only from one planned event to the next. While installed, it is what setTimeout, setInterval, setImmediate and
 * performance.now go by; between two events every promise that can settle does.
 */
export class Scheduler {
  nowMs = 0;
  events = 0;
  /** Told of what went wrong where nobody waits for it; the run ends. */
  fault: (error: Error) => void = (error) => {
    throw error;
  };
  readonly #heap: Planned[] = [];
  readonly #owners = new AsyncLocalStorage<Owner>();
  #order = 0;

  /** Plans `run` for the process whose code this is, or for `owner`. */
  plan(delayMs: number, run: () => void, owner: Owner = this.current()): Planned {
    const planned = { atMs: this.nowMs + Math.max(0, delayMs), order: (this.#order += 1), owner, cancelled: false, run };
    this.#push(planned);
    return planned;
  }

  current(): Owner {
    return this.#owners.getStore() ?? WORLD;
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.plan(ms, resolve));
  }

  /** Runs `work` as code of that process: its timers die with it. */
  as<T>(owner: Owner, work: () => T): T {
    return this.#owners.run(owner, work);
  }

  /** Lets everything happen that is planned up to that moment. */
  async runUntil(endMs: number): Promise<void> {
    for (let next = this.#heap[0]; next !== undefined && next.atMs <= endMs; next = this.#heap[0]) {
      this.#pop();
      if (next.cancelled || !next.owner.alive) continue;
      this.nowMs = next.atMs;
      this.events += 1;
      this.as(next.owner, next.run);
      await new Promise((resolve) => nextTurn(resolve));
    }
    this.nowMs = endMs;
  }

  /** Puts this time in place of the real one; returns what puts the real one back. */
  install(): () => void {
    const real = { setTimeout, setInterval, setImmediate, clearTimeout, clearInterval, clearImmediate };
    const once = (run: (...args: unknown[]) => void, ms = 0, ...args: unknown[]): Timer => {
      const timer = new Timer();
      const begin = (): Timer => {
        if (timer.planned !== null) timer.planned.cancelled = true;
        timer.planned = this.plan(ms, () => run(...args));
        return timer;
      };
      timer.refresh = begin;
      return begin();
    };
    const again = (run: (...args: unknown[]) => void, ms = 0, ...args: unknown[]): Timer => {
      const timer = new Timer();
      const round = (): void => {
        if (!timer.cleared) timer.planned = this.plan(ms, round);
        run(...args);
      };
      timer.planned = this.plan(ms, round);
      return timer;
    };
    const clear = (timer?: Timer | null): void => {
      if (timer === undefined || timer === null) return;
      timer.cleared = true;
      if (timer.planned !== null) timer.planned.cancelled = true;
    };
    const soon = (run: (...args: unknown[]) => void, ...args: unknown[]): Timer => once(run, 0, ...args);
    Object.assign(globalThis, { setTimeout: once, setInterval: again, setImmediate: soon });
    Object.assign(globalThis, { clearTimeout: clear, clearInterval: clear, clearImmediate: clear });
    Object.defineProperty(performance, 'now', { value: () => this.nowMs, configurable: true });
    return () => {
      Object.assign(globalThis, real);
      Reflect.deleteProperty(performance, 'now');
    };
  }

  #push(planned: Planned): void {
    const heap = this.#heap;
    let index = heap.push(planned) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!isBefore(planned, heap[parent])) break;
      heap[index] = heap[parent] as Planned;
      index = parent;
    }
    heap[index] = planned;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      const left = 2 * index + 1;
      if (left >= heap.length) break;
      const child = left + 1 < heap.length && isBefore(heap[left + 1] as Planned, heap[left]) ? left + 1 : left;
      if (!isBefore(heap[child] as Planned, last)) break;
      heap[index] = heap[child] as Planned;
      index = child;
    }
    heap[index] = last;
  }
}

function isBefore(a: Planned, b: Planned | undefined): boolean {
  return b !== undefined && (a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order));
}
