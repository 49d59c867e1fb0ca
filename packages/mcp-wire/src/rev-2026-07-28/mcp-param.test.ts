import { describe, expect, test } from 'vitest';
import { checkParamHeaders, paramAnnotations, paramHeaders } from './mcp-param.ts';

const schema = {
  type: 'object',
  properties: {
    region: { type: 'string', 'x-mcp-header': 'Region' },
    size: { type: 'object', properties: { count: { type: 'integer', 'x-mcp-header': 'Count' } } },
    dry: { type: 'boolean', 'x-mcp-header': 'Dry-Run' },
    'x-mcp-header': { type: 'string' },
    other: { type: 'object', default: { 'x-mcp-header': 5 } },
  },
};

function annotationsOf(value: unknown) {
  const found = paramAnnotations(value);
  if (!found.ok) throw new Error(found.problem);
  return found.annotations;
}
const headersFor = (text: string): Record<string, string> => paramHeaders(annotationsOf(schema), Buffer.from(text));
const check = (headers: Record<string, string>, text: string): string =>
  checkParamHeaders(headers, annotationsOf(schema), Buffer.from(text))?.code ?? 'agree';

describe('annotations', () => {
  test('are found on properties at any depth; a property that is merely called so, and data, are none', () => {
    const found = annotationsOf(schema).map(({ header, path, type }) => `${header} ${path.join('.')} ${type}`);
    expect(found.sort()).toEqual(['Count size.count integer', 'Dry-Run dry boolean', 'Region region string']);
    expect(annotationsOf(undefined)).toEqual([]);
  });

  const property = (annotated: unknown): unknown => ({ properties: { a: annotated } });
  const good = { type: 'string', 'x-mcp-header': 'A' };
  test.each([
    ['an empty token', property({ type: 'string', 'x-mcp-header': '' })],
    ['a space in the token', property({ type: 'string', 'x-mcp-header': 'A B' })],
    ['a line end in the token', property({ type: 'string', 'x-mcp-header': 'A\r\nB' })],
    ['type number', property({ type: 'number', 'x-mcp-header': 'A' })],
    ['no type', property({ 'x-mcp-header': 'A' })],
    ['a list of types', property({ type: ['string'], 'x-mcp-header': 'A' })],
    ['the same header twice in another case', { properties: { a: good, b: { type: 'string', 'x-mcp-header': 'a' } } }],
    ['the schema itself', good],
    ['items', property({ type: 'array', items: good })],
    ['a branch', { oneOf: [{ properties: { a: good } }] }],
    ['a definition', { $defs: { x: { properties: { a: good } } } }],
    ['additionalProperties', { additionalProperties: good }],
  ])('%s makes the tool invalid', (_title, value) => {
    expect(paramAnnotations(value).ok).toBe(false);
  });
});

describe('headers', () => {
  test('mirror the arguments byte for byte; null, absent and other types have none', () => {
    expect(headersFor('{"region":"Zürich","size":{"count":12345678901234567890},"dry":false}')).toEqual({
      'mcp-param-region': '=?base64?WsO8cmljaA==?=',
      'mcp-param-count': '12345678901234567890',
      'mcp-param-dry-run': 'false',
    });
    expect(headersFor('{"region":null,"size":[],"dry":"yes"}')).toEqual({});
    expect(headersFor('{}')).toEqual({});
  });

  test('agree with the arguments they were computed from, and integers by value', () => {
    const text = '{"region":"eu","size":{"count":1.0}}';
    expect(check(headersFor(text), text)).toBe('agree');
    expect(check({ 'mcp-param-region': 'eu', 'mcp-param-count': '1e0' }, text)).toBe('agree');
    expect(check({}, '{"region":null}')).toBe('agree');
  });

  test('that are missing, different, or there without the argument are a mismatch', () => {
    expect(check({}, '{"region":"eu"}')).toBe('rpc.header_mismatch');
    expect(check({ 'mcp-param-region': 'us' }, '{"region":"eu"}')).toBe('rpc.header_mismatch');
    expect(check({ 'mcp-param-region': 'eu' }, '{}')).toBe('rpc.header_mismatch');
    expect(check({ 'mcp-param-count': '12345678901234567891' }, '{"size":{"count":12345678901234567890}}')).toBe('rpc.header_mismatch');
  });
});
