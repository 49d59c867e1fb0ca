import { expect, test } from 'vitest';
import {
  ConfigError,
  custom,
  file,
  fileOrDirect,
  integer,
  oneOf,
  optional,
  port,
  readEnv,
  required,
  text,
  url,
  type Variable,
} from './config.ts';

const read = (variable: Variable<unknown>, value?: string): unknown => readEnv({ it: variable }, { X: value }).it;

test('settings are read typed, with their fallbacks, and cannot be changed', () => {
  const settings = readEnv(
    { api: port('PORT', 8470), base: url('BASE'), mode: oneOf('MODE', ['a', 'b'], 'a') },
    { BASE: 'http://127.0.0.1:1/x', MODE: '' },
  );
  expect([settings.api, settings.base.pathname, settings.mode]).toEqual([8470, '/x', 'a']);
  expect(Object.isFrozen(settings)).toBe(true);
  expect(read(optional(port('X')))).toBeNull();
});

test.each<[Variable<unknown>, (string | undefined)[]]>([
  [port('X'), [undefined, '', '0', '65536', '80x', '0x50', ' 80', '1e3', '-1', '8.5']],
  [integer('X', { min: 5, max: 9 }), ['4', '10', 'NaN', '9'.repeat(40)]],
  [url('X'), [undefined, 'ftp://x', 'x', 'http://u:hunter2@x/', 'http://x/?q', 'http://x/#f']],
  [oneOf('X', ['a']), ['b', 'A']],
  [file('X'), ['/does/not/exist']],
  [text('X'), [undefined, '']],
  [
    custom('X', () => {
      throw new Error('bad key');
    }),
    ['x'],
  ],
])('a missing or malformed value is refused by the name of its variable', (variable, values) => {
  for (const value of values) {
    expect(() => read(variable, value)).toThrow(ConfigError);
    expect(() => read(variable, value)).toThrow(/^X /);
    expect(() => read(variable, value)).not.toThrow('hunter2');
  }
});

const SECRET = fileOrDirect(
  { name: 'X_FILE', direct: 'X' },
  {
    load: (path) => `content of ${path}`,
    take: (said) => {
      if (said === 'bad') throw new Error('must be good');
      return said;
    },
  },
);

test('a secret is read from its file or, said directly, from the environment, where it is not left', () => {
  expect(readEnv({ it: SECRET }, { X_FILE: '/key' }).it).toBe('content of /key');
  const env = { X: 'hunter2', OTHER: 'stays' };
  expect(readEnv({ it: SECRET }, env).it).toBe('hunter2');
  expect(env).toEqual({ OTHER: 'stays' });
  expect(readEnv({ it: SECRET }, { X: '', X_FILE: '' }).it).toBeNull();
});

test('a secret that is there twice, missing or malformed is refused by the name of its variable', () => {
  expect(() => readEnv({ it: SECRET }, { X: 'hunter2', X_FILE: '/key' })).toThrow(/^X_FILE and X are both set/);
  expect(() => readEnv({ it: SECRET }, { X: 'bad' })).toThrow(/^X is not usable: must be good/);
  expect(() => readEnv({ it: required(SECRET) }, {})).toThrow(/^X_FILE must be set/);
  expect(() => readEnv({ it: required(SECRET, 'must be set (or X)') }, {})).toThrow(/^X_FILE must be set \(or X\)/);
});
