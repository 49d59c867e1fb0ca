import { inspect } from 'node:util';

const MASK = '[secret]';

/** A credential in memory. Printing, logging, serialising or joining it yields a mask; only `reveal()` yields the text. */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The plain text. Call it where the credential is used and keep the result nowhere. */
  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return MASK;
  }

  toJSON(): string {
    return MASK;
  }

  [inspect.custom](): string {
    return MASK;
  }
}
