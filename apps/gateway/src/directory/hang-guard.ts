import type { Clock } from '../snapshot/log.ts';

/** After this long without an answer, the other side counts as hanging. */
const HANGING_AFTER_MS = 800;
/** How long it is then left alone before a call tries again. */
const LEFT_ALONE_MS = 2_000;

/**
 * Makes calls to something that hangs fail at once, so that a chain of lookups waits for it once and not each time. What is merely
 * slow is let through: its answer, whenever it comes, ends the hanging. Guarded methods must be reads that have an alternative.
 */
export class HangGuard {
  readonly #clock: Clock;
  #leftAloneUntilMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The same port, its methods guarded. */
  over<T extends object>(port: T): T {
    return new Proxy(port, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member !== 'function') return member;
        return (...args: unknown[]): Promise<unknown> => this.run(() => Reflect.apply(member, target, args) as Promise<unknown>);
      },
    });
  }

  /** Whether calls are rejected at once at present. */
  leavesAlone(): boolean {
    return this.#clock.monotonicMs() < this.#leftAloneUntilMs;
  }

  /** Runs one call; rejects at once while the other side is left alone. */
  async run<T>(call: () => Promise<T>): Promise<T> {
    if (this.leavesAlone()) throw new Error('left alone: it did not answer a moment ago');
    const timer = setTimeout(() => {
      this.#leftAloneUntilMs = this.#clock.monotonicMs() + LEFT_ALONE_MS;
    }, HANGING_AFTER_MS);
    try {
      const answer = await call();
      this.#leftAloneUntilMs = 0;
      return answer;
    } finally {
      clearTimeout(timer);
    }
  }
}
