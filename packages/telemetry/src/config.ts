import { accessSync, constants } from 'node:fs';

const EXIT_WITH_PARENT = 'PATCHBAY_EXIT_WITH_PARENT';
const PORT_MAX = 65_535;

/** The environment is not usable. The message names the variable and what it must be, never its value. */
export class ConfigError extends Error {
  readonly variable: string;

  constructor(variable: string, problem: string, cause?: unknown) {
    super(`${variable} ${problem}`, { cause });
    this.name = 'ConfigError';
    this.variable = variable;
  }
}

export type Environment = Record<string, string | undefined>;

/** How to read one variable. `read` gets undefined where it is unset or empty; it throws an Error saying what is wrong. */
export type Variable<T> = { readonly name: string; readonly read: (text: string | undefined, env?: Environment) => T };

/** The typed settings of `spec`. Throws a ConfigError on the first variable that is missing or malformed. */
export function readEnv<S extends Readonly<Record<string, Variable<unknown>>>>(
  spec: S,
  env: Environment = process.env,
): { readonly [K in keyof S]: S[K] extends Variable<infer T> ? T : never } {
  const settings: Record<string, unknown> = {};
  for (const [key, variable] of Object.entries(spec)) {
    const text = env[variable.name];
    try {
      settings[key] = variable.read(text === '' ? undefined : text, env);
    } catch (error) {
      throw error instanceof ConfigError
        ? error
        : new ConfigError(variable.name, `is not usable: ${error instanceof Error ? error.message : 'unknown reason'}`, error);
    }
  }
  // Each key was read by the variable of the same key.
  return Object.freeze(settings) as { readonly [K in keyof S]: S[K] extends Variable<infer T> ? T : never };
}

/** Whether this program has to end as soon as its stdin closes. */
export function exitsWithParent(env: Readonly<Record<string, string | undefined>> = process.env): boolean {
  return env[EXIT_WITH_PARENT] === '1';
}

/** Any text, read by `parse`, which throws an Error saying what is wrong. Required where no fallback is given. */
export function custom<T>(name: string, parse: (text: string) => T, ...fallback: [] | [T]): Variable<T> {
  return {
    name,
    read: (text) => {
      if (text !== undefined) return parse(text);
      if (fallback.length === 1) return fallback[0];
      throw new ConfigError(name, 'must be set');
    },
  };
}

export function text(name: string, ...fallback: [] | [string]): Variable<string> {
  return custom(name, (value) => value, ...fallback);
}

/** Null where the variable is unset. */
export function optional<T>(variable: Variable<T>): Variable<T | null> {
  return { name: variable.name, read: (value, env) => (value === undefined ? null : variable.read(value, env)) };
}

/**
 * A secret in the file that `name` names, or said directly in the variable `direct`, never both. What was said directly is taken out of
 * the environment, so that no library of ours and no child finds it there. Null where neither is set.
 */
export function fileOrDirect<T>(
  { name, direct }: { readonly name: string; readonly direct: string },
  { load, take }: { readonly load: (path: string) => T; readonly take: (text: string) => T },
): Variable<T | null> {
  return {
    name,
    read: (path, env = {}) => {
      const said = env[direct];
      delete env[direct];
      if (said === undefined || said === '') return path === undefined ? null : load(path);
      if (path !== undefined) throw new ConfigError(name, `and ${direct} are both set: leave one of them out`);
      try {
        return take(said);
      } catch (error) {
        throw new ConfigError(direct, `is not usable: ${error instanceof Error ? error.message : 'unknown reason'}`, error);
      }
    },
  };
}

/** The same, where one of the two has to be set. */
export function required<T>(variable: Variable<T | null>, what = 'must be set'): Variable<T> {
  return {
    name: variable.name,
    read: (value, env) => {
      const read = variable.read(value, env);
      if (read === null) throw new ConfigError(variable.name, what);
      return read;
    },
  };
}

/** A whole number within bounds, in plain decimal digits. */
export function integer(name: string, { min, max }: { min: number; max: number }, ...fallback: [] | [number]): Variable<number> {
  const parse = (value: string): number => {
    const number = Number(value);
    if (!/^-?\d{1,15}$/.test(value) || number < min || number > max)
      throw new ConfigError(name, `must be a whole number from ${min} to ${max}`);
    return number;
  };
  return custom(name, parse, ...fallback);
}

/** A TCP port. Port 0 is refused: a listener nobody can be told about serves nobody. */
export function port(name: string, ...fallback: [] | [number]): Variable<number> {
  return integer(name, { min: 1, max: PORT_MAX }, ...fallback);
}

export function oneOf<const T extends string>(name: string, values: readonly T[], ...fallback: [] | [T]): Variable<T> {
  const parse = (value: string): T => {
    const found = values.find((each) => each === value);
    if (found === undefined) throw new ConfigError(name, `must be one of ${values.join(', ')}`);
    return found;
  };
  return custom(name, parse, ...fallback);
}

/** An absolute http(s) URL without credentials, query or fragment. */
export function url(name: string, ...fallback: [] | [string]): Variable<URL> {
  const parse = (value: string): URL => {
    const parsed = URL.canParse(value) ? new URL(value) : null;
    if (parsed === null || !['http:', 'https:'].includes(parsed.protocol)) throw new ConfigError(name, 'must be an http or https URL');
    if (parsed.username !== '' || parsed.password !== '' || parsed.search !== '' || parsed.hash !== '')
      throw new ConfigError(name, 'must be a URL without credentials, query or fragment');
    return parsed;
  };
  return { name, read: (value) => custom(name, parse).read(value ?? fallback[0]) };
}

/** The path of a file that can be read now. Use `custom` to load it at once. */
export function file(name: string, ...fallback: [] | [string]): Variable<string> {
  const parse = (path: string): string => {
    try {
      accessSync(path, constants.R_OK);
    } catch {
      throw new ConfigError(name, `must name a file that can be read; ${path} cannot`);
    }
    return path;
  };
  return custom(name, parse, ...fallback);
}
