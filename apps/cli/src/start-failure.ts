/** Patchbay cannot start or go on. The message is for the person at the terminal and says what to do. */
export class StartFailure extends Error {
  /** What a program of ours said last; untrusted text, shown escaped. */
  readonly output: string | null;

  constructor(message: string, output: string | null = null) {
    super(message);
    this.name = 'StartFailure';
    this.output = output;
  }
}
