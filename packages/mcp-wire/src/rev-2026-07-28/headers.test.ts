import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { scanMessage } from '../scan.ts';
import type { ScannedMessage } from '../scanned-message.ts';
import { decodeHeaderValue, encodeHeaderValue } from './header-value.ts';
import { checkModernHeaders, modernHeaders } from './headers.ts';

const META = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': {} };

function messageOf(method: string, params: Record<string, unknown>, envelope: { id?: number } = { id: 1 }): ScannedMessage {
  const outcome = scanMessage(Buffer.from(JSON.stringify({ jsonrpc: '2.0', ...envelope, method, params: { ...params, _meta: META } })));
  if (!outcome.ok) throw new Error(outcome.refusal.code);
  return outcome.message;
}

const check = (headers: Record<string, string>, message: ScannedMessage): string => checkModernHeaders(headers, message)?.detail ?? 'agree';

describe('header values', () => {
  test('any text comes back as it went, through bytes that every proxy keeps', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'grapheme' }),
          fc.string(),
          fc.constantFrom('', ' a', 'a ', '=?base64?YQ==?=', '=?base64??=', '=?base64?=', 'a\tb', 'a\r\nb'),
        ),
        (text) => {
          const value = encodeHeaderValue(text);
          expect(value).toMatch(/^(?:[!-~](?:[ -~]*[!-~])?)?$/);
          expect(decodeHeaderValue(value)).toBe(text);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('the encoded form is the one the revision gives, and plain text stays plain', () => {
    expect(encodeHeaderValue('Grüße')).toBe('=?base64?R3LDvMOfZQ==?=');
    expect(encodeHeaderValue('file:///a b.txt')).toBe('file:///a b.txt');
  });

  test('what no sender may send is no value: raw bytes, bad base64, base64 of something that is not UTF-8', () => {
    for (const value of ['Gr\u00fc\u00dfe', 'a\u0000', '=?base64?YQ?=', '=?base64?Y Q==?=', '=?base64?_w==?=', '=?base64?/w==?='])
      expect(decodeHeaderValue(value)).toBeNull();
    expect(decodeHeaderValue(' \ta ')).toBe('a');
    expect(decodeHeaderValue('=?BASE64?YQ==?=')).toBe('=?BASE64?YQ==?=');
  });
});

describe('headers against the body', () => {
  const call = messageOf('tools/call', { name: 'échø' });
  const right = modernHeaders('2026-07-28', 'tools/call', 'échø');

  test('what we send upstream passes our own check', () => {
    expect(check(right, call)).toBe('agree');
    expect(check(modernHeaders('2026-07-28', 'resources/read', 'a://b'), messageOf('resources/read', { uri: 'a://b' }))).toBe('agree');
    expect(check(modernHeaders('2026-07-28', 'tasks/get', 't1'), messageOf('tasks/get', { taskId: 't1' }))).toBe('agree');
    expect(modernHeaders('2026-07-28', 'tools/list', 'x')).not.toHaveProperty('mcp-name');
  });

  test.each(['mcp-protocol-version', 'mcp-method', 'mcp-name'])('%s missing, different or in another case is a mismatch', (header) => {
    const { [header]: value = '', ...rest } = right;
    expect(check(rest, call)).toMatch(/is missing/);
    expect(check({ ...right, [header]: `${value}x` }, call)).not.toBe('agree');
    expect(check({ ...right, [header]: value.toUpperCase() }, call) === 'agree').toBe(header === 'mcp-protocol-version');
    expect(checkModernHeaders({ ...right, [header]: [value, value] }, call)?.code).toBe('rpc.header_mismatch');
  });

  test('only a name may be encoded: a method in base64 would tell a proxy another thing than us', () => {
    expect(check({ ...right, 'mcp-method': '=?base64?dG9vbHMvY2FsbA==?=' }, call)).toMatch(/does not match/);
  });

  test('notifications have no header rules, and a body without its name is left to the method', () => {
    expect(check({}, messageOf('notifications/cancelled', {}, {}))).toBe('agree');
    expect(check({ 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call' }, messageOf('tools/call', {}))).toBe('agree');
  });
});
