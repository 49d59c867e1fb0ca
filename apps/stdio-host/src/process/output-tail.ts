import { cleanText } from '@patchbay/telemetry';

const LINES_MAX = 200;
const LINE_CHARACTERS_MAX = 2_000;
const SECRET_CHARACTERS_MIN = 8;

/**
 * The last lines a server wrote for people: hostile text, so control, bidi and zero-width characters are shown as
 * escapes, lines are cut, and values of its own environment are masked by their names.
 */
export class OutputTail {
  readonly #masks: readonly (readonly [value: string, name: string])[];
  #lines: string[] = [];
  /** Lines on stdout that were not JSON-RPC. */
  strayLines = 0;

  constructor(env: Readonly<Record<string, string>>) {
    this.#masks = Object.entries(env)
      .filter(([, value]) => value.length >= SECRET_CHARACTERS_MIN)
      .map(([name, value]) => [value, name] as const);
  }

  push(line: Buffer): void {
    let text = line.toString('utf8', 0, LINE_CHARACTERS_MAX * 4);
    for (const [value, name] of this.#masks) text = text.replaceAll(value, `[env ${name}]`);
    if (text.length > LINE_CHARACTERS_MAX) text = `${text.slice(0, LINE_CHARACTERS_MAX)}…`;
    this.#lines.push(cleanText(text));
    if (this.#lines.length > LINES_MAX) this.#lines = this.#lines.slice(-LINES_MAX);
  }

  pushStray(line: Buffer): void {
    this.strayLines += 1;
    this.push(Buffer.concat([Buffer.from('stdout: '), line.subarray(0, LINE_CHARACTERS_MAX * 4)]));
  }

  lines(): string[] {
    return [...this.#lines];
  }

  /** The end of it in one line, for an error message; empty when nothing was written. */
  summary(): string {
    return this.#lines.slice(-5).join(' | ').slice(-1_000);
  }
}
