import { refusal } from '@patchbay/errors';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { errorText, keyOf, toOneLine } from './rpc-text.ts';

test('a message on one line is the same message, whatever white space it had', () => {
  fc.assert(
    fc.property(fc.json(), fc.constantFrom('\n', '\r', '\r\n'), (json, end) => {
      const pretty = JSON.stringify(JSON.parse(json), null, 2).replaceAll('\n', end);
      const line = toOneLine(Buffer.from(pretty));
      expect(line.length).toBe(Buffer.byteLength(pretty));
      expect(line.toString()).not.toMatch(/[\r\n]/);
      expect(JSON.parse(line.toString())).toEqual(JSON.parse(json));
    }),
  );
});

test('ids of different types are different keys', () => {
  expect(keyOf(1)).not.toBe(keyOf('1'));
  expect(keyOf('n1')).not.toBe(keyOf(1));
});

test('an error keeps the id as it was written and names its code', () => {
  const text = errorText('12345678901234567890', refusal('stdio.limit', 'Raise it.', { retryAfterMs: 5 })).toString();
  expect(text).toContain('"id":12345678901234567890,');
  expect(JSON.parse(text)).toMatchObject({ error: { code: -31510, data: { code: 'stdio.limit', retryAfterMs: 5 } } });
});
