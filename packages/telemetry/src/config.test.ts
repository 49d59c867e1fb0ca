import { expect, test } from 'vitest';
import { ConfigError, custom, file, integer, oneOf, optional, port, readEnv, text, url, type Variable } from './config.ts';

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
