import { type Question, QUESTIONS_MAX } from './question.ts';

/** A server that asks for several things asks at once: so long after the last one, what it asked is told in one result. */
const QUIET_MS = 50;
/** However fast one question follows another. */
const GATHERING_MS_MAX = 500;

/** The questions of one call that nobody has answered, until the server has been quiet for a moment: then it is told once, of none if all were withdrawn. */
export class Gathering {
  readonly #questions = new Map<string, Question>();
  readonly #onQuiet: (questions: readonly Question[]) => void;
  #timer: NodeJS.Timeout | null = null;
  #startedAtMs = 0;

  constructor(onQuiet: (questions: readonly Question[]) => void) {
    this.#onQuiet = onQuiet;
  }

  /** False: another with the same key waits already, or as many as a person is shown. */
  add(question: Question): boolean {
    if (this.#questions.has(question.key) || this.#questions.size === QUESTIONS_MAX) return false;
    this.#questions.set(question.key, question);
    if (this.#timer === null) this.#startedAtMs = performance.now();
    else clearTimeout(this.#timer);
    const left = this.#startedAtMs + GATHERING_MS_MAX - performance.now();
    this.#timer = setTimeout(() => this.#end(), Math.min(QUIET_MS, Math.max(0, left)));
    return true;
  }

  /** The server no longer wants to know. */
  withdraw(key: string): void {
    this.#questions.delete(key);
  }

  /** The call has ended: nobody is asked any more. */
  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#questions.clear();
  }

  #end(): void {
    const questions = [...this.#questions.values()];
    this.stop();
    this.#onQuiet(questions);
  }
}
