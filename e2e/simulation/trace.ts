/** What happened in one run, for reading when it went wrong. */
export class Trace {
  readonly #lines: string[] = [];
  readonly #nowMs: () => number;
  #closed = false;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Nothing is noted any more. */
  close(): void {
    this.#closed = true;
  }

  note(line: string): void {
    if (this.#closed) return;
    this.#lines.push(`${(this.#nowMs() / 1000).toFixed(3).padStart(9)} s  ${line}`);
    if (this.#lines.length > 20_000) this.#lines.splice(0, 10_000);
  }

  last(count: number): string[] {
    return this.#lines.slice(-count);
  }
}

/** A rule that was broken: the run ends there. */
export class Violation extends Error {
  readonly invariant: string;

  constructor(invariant: string, what: string) {
    super(`${invariant}: ${what}`);
    this.invariant = invariant;
  }
}
