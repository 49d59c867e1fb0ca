import { format, inspect } from 'node:util';
import { expect, test } from 'vitest';
import { createKeyring } from './keyring.ts';
import { Secret } from './secret.ts';

test('a secret shows its text to reveal() alone', () => {
  const secret = new Secret('hunter2');
  const shown = [
    String(secret),
    `${secret.toString()}`,
    JSON.stringify({ secret }),
    inspect({ secret }, { showHidden: true, depth: 9 }),
    format('%s %o %j', secret, secret, secret),
  ];
  expect(shown.join(' ')).not.toContain('hunter2');
  expect(Object.keys(secret)).toEqual([]);
  expect(secret.reveal()).toBe('hunter2');
});

test('a keyring shows no key bytes', () => {
  const bytes = Buffer.alloc(32, 'K');
  const shown = inspect(createKeyring([bytes]), { showHidden: true, depth: 9 }) + JSON.stringify(createKeyring([bytes]));
  for (const text of ['KKKK', bytes.toString('hex').slice(0, 8), bytes.toString('base64url').slice(0, 8), '75, 75'])
    expect(shown).not.toContain(text);
});
