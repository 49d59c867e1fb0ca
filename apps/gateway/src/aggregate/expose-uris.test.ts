import fc from 'fast-check';
import { expect, test } from 'vitest';
import { exposeAppUri, exposeUris } from './expose-uris.ts';

const expose = (uri: string): string => `X${uri}`;
const response = { kind: 'response', method: '' } as const;
const exposed = (message: unknown, said: { kind: 'response' | 'request' | 'notification'; method: string } = response): unknown =>
  JSON.parse(exposeUris(Buffer.from(JSON.stringify(message)), said, expose).toString());

test('each place that names a URI of the server, and none that only looks like one (trap 5)', () => {
  const block = (uri: string): object => ({ type: 'resource_link', uri });
  expect(exposed({ result: { messages: [{ content: block('a') }, { content: [block('b')] }] } })).toEqual({
    result: { messages: [{ content: block('Xa') }, { content: [block('Xb')] }] },
  });
  expect(exposed({ result: { content: [{ type: 'tool_result', content: [block('a')], structuredContent: { uri: 'b' } }] } })).toEqual({
    result: { content: [{ type: 'tool_result', content: [block('Xa')], structuredContent: { uri: 'b' } }] },
  });
  expect(exposed({ error: { code: 1, data: { uri: 'a', uris: ['b'] } } })).toEqual({
    error: { code: 1, data: { uri: 'Xa', uris: ['b'] } },
  });
  expect(exposed({ result: { uri: 'a', structuredContent: { content: [block('b')] } } })).toEqual({
    result: { uri: 'a', structuredContent: { content: [block('b')] } },
  });
  expect(exposed({ params: { uri: 'a' } }, { kind: 'notification', method: 'notifications/resources/updated' })).toEqual({
    params: { uri: 'Xa' },
  });
  expect(exposed({ params: { uri: 'a' } }, { kind: 'notification', method: 'notifications/other' })).toEqual({ params: { uri: 'a' } });
});

test('what is not renamed keeps its bytes, whatever they are', () => {
  fc.assert(
    fc.property(fc.json(), fc.string(), (other, uri) => {
      const around = (text: string): Buffer =>
        Buffer.from(`{ "jsonrpc":"2.0", "other" : ${other}, "result":{"content":[ {"uri": ${JSON.stringify(text)} } ], "n":1.0 }}`);
      expect(exposeUris(around(uri), response, expose)).toEqual(around(expose(uri)));
    }),
  );
});

test('a tool’s page is exposed in the form of its day and the one before, its settings untouched', () => {
  const definition = Buffer.from('{"name":"t","_meta":{"ui":{"resourceUri":"ui://p","csp":{}},"ui/resourceUri":"ui://p","uri":"ui://p"}}');
  expect(exposeAppUri(definition, 's').toString()).toBe(
    '{"name":"t","_meta":{"ui":{"resourceUri":"ui://s/p","csp":{}},"ui/resourceUri":"ui://s/p","uri":"ui://p"}}',
  );
});
