import fc from 'fast-check';
import { expect, test } from 'vitest';
import { matchesTemplate, readUriTemplate } from './uri-template.ts';

const matches = (template: string, uri: string): boolean => matchesTemplate(readUriTemplate(template), uri);

test.each([
  ['file:///{+path}', 'file:///a/b?c#d', true],
  ['file:///{path}', 'file:///a', true],
  ['file:///{path}', 'file:///a/b', false],
  ['note://{id}/text', 'note://1/text', true],
  ['note://{id}/text', 'note://1/texts', false],
  ['note://{id}/text', 'note:///text', true],
  ['q://find{?q,n}', 'q://find?q=a&n=1', true],
  ['q://find{?q,n}', 'q://find', true],
  ['q://find{?q,n}', 'q://findings', false],
  ['x://a{#part}', 'x://a#b/c', true],
  ['x://a{/more*}', 'x://a/b/c', true],
  ['x://a{.ext}', 'x://a.b', true],
  ['x://a{.ext}', 'x://a/b', false],
  ['x://{a}{b}', 'x://whatever', true],
  ['x://{a}.{b}.c', 'x://1.2.3.c', true],
  ['x://plain', 'x://plain', true],
  ['x://plain', 'x://plainer', false],
  ['x://{unclosed', 'x://{unclosed', true],
])('%s and %s: %s', (template, uri, expected) => {
  expect(matches(template, uri)).toBe(expected);
});

test('a template matches what its own expansion gives', () => {
  const value = fc.stringMatching(/^[A-Za-z0-9._~-]{0,12}$/);
  fc.assert(
    fc.property(value, value, fc.string(), (a, b, rest) => {
      expect(matches('x://{a}/y/{b}/{+rest}', `x://${a}/y/${b}/${rest}`)).toBe(true);
    }),
  );
});

test('a template made to be slow takes no longer than a plain one may', () => {
  const startedAt = performance.now();
  for (let i = 0; i < 20; i += 1) matches(`x://${'{+a}a'.repeat(16)}b`, `x://${'a'.repeat(2_000)}`);
  expect(matches('{+a}'.repeat(33), 'x')).toBe(false);
  expect(matches('{+a}', 'x'.repeat(2_049))).toBe(false);
  expect(performance.now() - startedAt).toBeLessThan(2_000);
});
