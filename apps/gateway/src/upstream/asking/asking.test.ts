import { expect, it } from 'vitest';
import { inputRequired } from './asking.ts';

const content = { type: 'resource_link', uri: 'note://one', name: 'note' };
const request = JSON.stringify({ method: 'sampling/createMessage', params: { messages: [{ role: 'user', content }], maxTokens: 9 } });

function uriAsked(endpointServer: object | null): unknown {
  const input = { ctx: { message: { id: 1 }, endpointServer }, target: { server: { slug: 'notes', catalogue: null } } } as never;
  const { result } = JSON.parse(inputRequired(input, [{ key: '0', request }], 'state').toString()) as {
    result: { inputRequests: Record<string, { params: { messages: { content: { uri: string } }[] } }> };
  };
  return result.inputRequests['0']?.params.messages[0]?.content.uri;
}

it('names a resource in a question as the endpoint does, so that the client can read it (trap 5)', () => {
  expect(uriAsked({})).toBe('note://one');
  expect(uriAsked(null)).toBe('patchbay+notes+note://one');
});
