/** Runs at most `atOnceMax` pieces of work at a time, with `waitingMax` more in line; null, without running it, for one more. */
export class Bounded {
  readonly #limits: { readonly atOnceMax: number; readonly waitingMax: number };
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(limits: { readonly atOnceMax: number; readonly waitingMax: number }) {
    this.#limits = limits;
  }

  async run<T>(work: () => Promise<T>): Promise<T | null> {
    if (this.#running >= this.#limits.atOnceMax) {
      if (this.#waiting.length >= this.#limits.waitingMax) return null;
      // Whoever ends hands its place on, so that nobody who comes later overtakes.
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else this.#running += 1;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }
}
