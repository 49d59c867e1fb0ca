import { expect, test } from 'vitest';
import { authenticateMessage, messageKey, openMessage } from './authenticated-message.ts';
import { Secret } from './secret.ts';

const key = messageKey(new Secret('shared among us'), 'reports');
const message = authenticateMessage(key, '{"revision":7} – é');

test('opens what was made under the same secret for the same purpose', () => {
  expect(openMessage(messageKey(new Secret('shared among us'), 'reports'), message)).toBe('{"revision":7} – é');
});

test.each([
  ['another secret', messageKey(new Secret('shared among others'), 'reports')],
  ['another purpose', messageKey(new Secret('shared among us'), 'jobs')],
])('does not open under %s', (_what, other) => {
  expect(openMessage(other, message)).toBeNull();
});

test.each([
  ['changed', message.replace('7', '8')],
  ['cut', message.slice(0, -1)],
  ['longer', `${message} `],
  ['with another authenticator', `${'A'.repeat(43)}${message.slice(43)}`],
  ['without one', message.slice(44)],
  ['with an authenticator of other bytes', `${'é'.repeat(43)}${message.slice(43)}`],
  ['empty', ''],
])('does not open a message that is %s', (_what, given) => {
  expect(openMessage(key, given)).toBeNull();
});
