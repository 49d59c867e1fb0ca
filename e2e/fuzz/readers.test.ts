import { expect, test } from 'vitest';
import { readersWhoSee } from './readers.ts';

const call = (params: string): string => `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params}}`;

test.each([
  ['a plain call', '{"name":"forbidden"}', 10],
  ['another tool', '{"name":"allowed","arguments":{"name":"forbidden"},"_meta":{"name":"forbidden"}}', 0],
  ['two names, one after the other', '{"name":"allowed","name":"forbidden"}', 5],
  ['another case', '{"name":"allowed","Name":"forbidden"}', 3],
  ['an escaped letter', '{"n\\u0061me":"forbidden"}', 10],
  ['an escaped value', '{"name":"\\u0066orbidden"}', 10],
  ['a NUL', '{"name\\u0000":"forbidden"}', 4],
  ['a colon inside a string', '{"x\\":":1,"name":"allowed"}', 0],
])('%s is seen by as many readers as there are that would take it', (_what, params, count) => {
  expect(readersWhoSee('forbidden', call(params))).toHaveLength(count);
});
