import { fileOrDirect, type Variable } from '@patchbay/telemetry/config';
import { loadSecret } from './key-file.ts';
import { Secret } from './secret.ts';

export type SecretUrlNames = {
  /** The variable that names a file. */
  readonly name: string;
  /** The variable that holds the URL itself. */
  readonly direct: string;
  /** Throws a sentence, without the URL in it, where the text is none that the program can use. */
  readonly check: (text: string) => unknown;
};

/** A connection URL with a password in it, from a file or said directly; null where neither is set. What is wrong is said without the URL. */
export function secretUrl({ name, direct, check }: SecretUrlNames): Variable<Secret | null> {
  const take = (said: string): Secret => {
    const text = said.trim();
    check(text);
    return new Secret(text);
  };
  return fileOrDirect({ name, direct }, { load: (path) => take(loadSecret(path).reveal()), take });
}
