import { scanMessage } from '@patchbay/mcp-wire';
import { expect, it } from 'vitest';
import { linksOf } from './links.ts';
import { type Question, toQuestion } from './question.ts';

function asked(text: string, attribution: string | null = null): Question | null {
  const bytes = Buffer.from(text);
  const scanned = scanMessage(bytes);
  if (!scanned.ok) throw new Error(scanned.refusal.code);
  return toQuestion(bytes, scanned.message, { attribution, capabilities: '{"sampling":{}}' });
}

it('keeps what the server wrote, number by number, but for what belongs to a request of its own', () => {
  const params =
    '{"message":"Which?","elicitationId":"e","requestedSchema":{"maximum":9007199254740993},"_meta":{"progressToken":1,"x":2.0},"task":{}}';
  expect(asked(`{"jsonrpc":"2.0","id":0,"method":"elicitation/create","params":${params}}`)).toEqual({
    key: '0',
    id: '0',
    method: 'elicitation/create',
    request:
      '{"method":"elicitation/create","params":{"message":"Which?","requestedSchema":{"maximum":9007199254740993},"_meta":{"x":2.0}}}',
  });
});

it('is not for the context of other servers where its client gives none (trap 26)', () => {
  const request = '{"jsonrpc":"2.0","id":0,"method":"sampling/createMessage","params":{"includeContext":"allServers","maxTokens":1}}';
  expect(asked(request)?.request).toBe('{"method":"sampling/createMessage","params":{"includeContext":"none","maxTokens":1}}');
});

it('keeps the type of its id, zero and text included (trap 8)', () => {
  expect(asked('{"jsonrpc":"2.0","id":0,"method":"roots/list"}')).toMatchObject({ key: '0', id: '0', request: '{"method":"roots/list"}' });
  expect(asked('{"jsonrpc":"2.0","id":"0","method":"roots/list"}')).toMatchObject({ key: '0', id: '"0"' });
});

it('names its server in the message of an elicitation and nowhere else', () => {
  const create = '{"jsonrpc":"2.0","id":1,"method":"elicitation/create","params":{"message":"Which \\"one\\"?"}}';
  expect(asked(create, 'A: ')?.request).toContain('"message":"A: Which \\"one\\"?"');
  expect(asked('{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{"messages":[]}}', 'A: ')?.request).not.toContain('A: ');
});

it('is nothing else than the three that a client can be asked', () => {
  expect(asked('{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{}}')).toBeNull();
});

const OF_US = { ownOrigin: 'https://patchbay.example', slug: 's' };
const links = (...elicitations: unknown[]): ReturnType<typeof linksOf> =>
  linksOf(Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 1, error: { code: -32042, message: 'm', data: { elicitations } } })), OF_US);

it('of a link has its address unchanged, and no id (trap 25)', () => {
  expect(links({ mode: 'url', elicitationId: 'e', message: 'Go', url: 'https://example.com/a?b=%20c' })).toEqual([
    { key: 'e', request: '{"method":"elicitation/create","params":{"mode":"url","message":"Go","url":"https://example.com/a?b=%20c"}}' },
  ]);
});

it.each([
  ['to us', [{ url: 'https://patchbay.example/connect/x', message: 'Go' }]],
  ['to us in other spelling', [{ url: 'HTTPS://patchbay.example:443/', message: 'Go' }]],
  ['nowhere', []],
])('of a link %s is refused', (_where, elicitations) => {
  expect(links(...elicitations)).toMatchObject({ code: 'upstream.broken' });
});
