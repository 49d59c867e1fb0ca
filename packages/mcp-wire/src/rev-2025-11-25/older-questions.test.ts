import { expect, test } from 'vitest';
import { olderQuestion } from './older-questions.ts';

const ask = (method: string, params: object, protocolVersion: string): unknown => {
  const asked = olderQuestion(method, Buffer.from(JSON.stringify(params)), protocolVersion);
  return asked === null ? null : JSON.parse(asked.toString());
};
const form = (properties: object): object => ({ message: 'm', requestedSchema: { type: 'object', properties, required: ['a'] } });

test('titled choices have another form before 2025-11-25', () => {
  const titled = form({
    a: { type: 'string', title: 'A', oneOf: [{ const: 'x', title: 'The X' }, { const: 'y' }] },
    b: { type: 'number' },
  });
  expect(ask('elicitation/create', titled, '2025-06-18')).toEqual(
    form({ a: { type: 'string', title: 'A', enum: ['x', 'y'], enumNames: ['The X', 'y'] }, b: { type: 'number' } }),
  );
  expect(ask('elicitation/create', titled, '2025-11-25')).toEqual(titled);
});

test('a field with several choices cannot be asked for before 2025-11-25', () => {
  const several = form({ a: { type: 'array', items: { type: 'string', enum: ['x'] } } });
  expect(ask('elicitation/create', several, '2025-06-18')).toBeNull();
  expect(ask('elicitation/create', several, '2025-11-25')).toEqual(several);
});

test('a message of several blocks is several messages before 2025-11-25', () => {
  const [text, audio] = [
    { type: 'text', text: 't' },
    { type: 'audio', mimeType: 'audio/wav', data: 'UklGRg==' },
  ];
  const params = {
    maxTokens: 1,
    messages: [
      { role: 'user', content: [text, audio] },
      { role: 'assistant', content: text },
    ],
  };
  const split = (second: object): object => ({
    maxTokens: 1,
    messages: [
      { role: 'user', content: text },
      { role: 'user', content: second },
      { role: 'assistant', content: text },
    ],
  });
  expect(ask('sampling/createMessage', params, '2025-06-18')).toEqual(split(audio));
  expect(ask('sampling/createMessage', params, '2024-11-05')).toEqual(
    split({ type: 'text', text: "(audio/wav, which this client's protocol revision does not carry)" }),
  );
});

test('what has no such parts stays byte for byte', () => {
  const params = Buffer.from('{ "message":"m", "url":"https://example.com" }');
  expect(olderQuestion('elicitation/create', params, '2025-06-18')).toBe(params);
  expect(olderQuestion('roots/list', params, '2025-06-18')).toBe(params);
});
