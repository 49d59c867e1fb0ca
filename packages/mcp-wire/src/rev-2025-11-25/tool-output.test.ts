import { expect, test } from 'vitest';
import { hasObjectOutput, legacyStructuredContent, legacyToolDefinition } from './tool-output.ts';

const tool = (outputSchema: unknown): Buffer => Buffer.from(JSON.stringify({ name: 't', inputSchema: { type: 'object' }, outputSchema }));
const schemaOf = (definition: Buffer): unknown => (JSON.parse(definition.toString()) as { outputSchema: unknown }).outputSchema;

test('an output that is an object, or not declared, stays byte for byte', () => {
  for (const definition of [tool({ type: 'object', properties: { a: { $ref: '#/$defs/x' } } }), tool(undefined)]) {
    expect(hasObjectOutput(definition)).toBe(true);
    expect(legacyToolDefinition(definition)).toBe(definition);
  }
});

test.each([
  { type: 'array', items: { type: 'string' } },
  { anyOf: [{ type: 'object' }, { type: 'null' }] },
  { type: ['object', 'null'] },
  true,
])('another output becomes a member of an object: %j', (schema) => {
  expect(hasObjectOutput(tool(schema))).toBe(false);
  expect(schemaOf(legacyToolDefinition(tool(schema)))).toEqual({ type: 'object', properties: { result: schema }, required: ['result'] });
});

test('pointers are moved along, but not where they are data, names, or resolve against another base', () => {
  const schema = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'array',
    items: { $ref: '#/$defs/node' },
    $defs: {
      node: { type: 'object', properties: { next: { $ref: '#' }, $ref: { type: 'string' }, other: { $ref: 'https://example.com/x#/y' } } },
      own: { $id: 'https://example.com/own', $ref: '#/a' },
      anchor: { $id: '#named', $ref: '#/$defs/node' },
      data: { const: { $ref: '#/x' }, default: { $ref: '#/x' }, enum: [{ $ref: '#/x' }] },
    },
  };
  expect(schemaOf(legacyToolDefinition(tool(schema)))).toEqual({
    $schema: schema.$schema,
    type: 'object',
    required: ['result'],
    properties: {
      result: {
        ...schema,
        items: { $ref: '#/properties/result/$defs/node' },
        $defs: {
          ...schema.$defs,
          node: {
            type: 'object',
            properties: { next: { $ref: '#/properties/result' }, $ref: { type: 'string' }, other: { $ref: 'https://example.com/x#/y' } },
          },
          anchor: { $id: '#named', $ref: '#/properties/result/$defs/node' },
        },
      },
    },
  });
});

test.each([
  ['[1,12345678901234567890]', false, '{"result":[1,12345678901234567890]}'],
  ['null', false, '{"result":null}'],
  ['{"a":1}', false, '{"a":1}'],
  ['{"a":1}', true, '{"result":{"a":1}}'],
])('structured content %s is carried as an object', (value, isWrapped, expected) => {
  const answer = (content: string): Buffer =>
    Buffer.from(`{"jsonrpc":"2.0","id":1,"result":{"structuredContent":${content},"content":[]}}`);
  expect(legacyStructuredContent(answer(value), isWrapped).toString()).toBe(answer(expected).toString());
});
