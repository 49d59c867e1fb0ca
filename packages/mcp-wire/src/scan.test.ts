import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { scanMessage, type ScanOptions } from './scan.ts';
import type { ScannedMessage } from './scanned-message.ts';
import type { Span } from './span.ts';

const scanText = (text: string, options?: ScanOptions) => scanMessage(Buffer.from(text), options);

function accepted(text: string, options?: ScanOptions): ScannedMessage {
  const outcome = scanText(text, options);
  if (!outcome.ok) throw new Error(`refused with ${outcome.refusal.code}: ${outcome.refusal.detail}`);
  return outcome.message;
}

function codeOf(text: string, options?: ScanOptions): string {
  const outcome = scanText(text, options);
  return outcome.ok ? 'accepted' : outcome.refusal.code;
}

const call = (params: string): string => `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params}}`;
const cut = (text: string, span: Span | null): string | null =>
  span === null ? null : Buffer.from(text).subarray(span.start, span.end).toString();

describe('what a scan reads', () => {
  test('every member a gateway decides on comes with its value and the bytes it was written in', () => {
    const meta =
      '{"progressToken": 0, "io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{ "roots":{} },' +
      '"io.modelcontextprotocol/clientInfo":{"name":"c"},"io.modelcontextprotocol/logLevel":"info","traceparent":"00-1","tracestate":"a=b","baggage":"x"}';
    const text = ` {"id": "7","params":{"name":"é\\u00e9\\ud83d\\ude00","arguments":{"n":12345678901234567890},"_meta":${meta},"requestState":"s","inputResponses":{}},"jsonrpc":"2.0","method":"tools/call","vendor":[1]} `;
    const message = accepted(text);
    expect(message).toMatchObject({ kind: 'request', id: '7', method: 'tools/call', name: 'éé😀', requestState: 's', wrongTypes: [] });
    expect(message).toMatchObject({
      progressToken: 0,
      metaProtocolVersion: '2026-07-28',
      logLevel: 'info',
      traceparent: '00-1',
      tracestate: 'a=b',
    });
    expect(cut(text, message.idSpan)).toBe('"7"');
    expect(cut(text, message.nameSpan)).toBe('"é\\u00e9\\ud83d\\ude00"');
    expect(cut(text, message.argumentsSpan)).toBe('{"n":12345678901234567890}');
    expect(cut(text, message.metaSpan)).toBe(meta);
    expect(cut(text, message.clientCapabilitiesSpan)).toBe('{ "roots":{} }');
    expect(cut(text, message.progressTokenSpan)).toBe('0');
    expect(cut(text, message.traceparentSpan)).toBe('"00-1"');
    expect(cut(text, message.baggageSpan)).toBe('"x"');
    expect(cut(text, message.inputResponsesSpan)).toBe('{}');
    expect(cut(text, message.paramsSpan)?.startsWith('{"name"')).toBe(true);
  });

  test('an id keeps its type: 0 and "0" are ids, and different ones (trap 8)', () => {
    expect(accepted('{"jsonrpc":"2.0","id":0,"method":"m"}').id).toBe(0);
    expect(accepted('{"jsonrpc":"2.0","id":"0","method":"m"}').id).toBe('0');
    expect(accepted('{"jsonrpc":"2.0","id":9007199254740991,"method":"m"}').id).toBe(9007199254740991);
    expect(accepted('{"jsonrpc":"2.0","id":-5,"method":"m"}').id).toBe(-5);
  });

  test('requests, notifications and both kinds of response are told apart', () => {
    expect(accepted('{"jsonrpc":"2.0","id":1,"method":"ping"}').kind).toBe('request');
    const cancelled = accepted('{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"a"}}');
    expect(cancelled).toMatchObject({ kind: 'notification', id: null, idSpan: null, requestId: 'a' });
    expect(accepted('{"jsonrpc":"2.0","id":1,"result":{}}').kind).toBe('response');
    expect(accepted('{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":""}}').kind).toBe('response');
  });

  test('a member of the wrong type is named, so that its method can answer invalid params', () => {
    const message = accepted(call('{"name":5,"uri":null,"cursor":[],"arguments":[],"_meta":1,"taskId":{}}'));
    expect(message.wrongTypes).toEqual(['name', 'uri', 'cursor', 'arguments', '_meta', 'taskId']);
    expect(message).toMatchObject({ name: null, uri: null, cursor: null });
    expect(message.nameSpan).not.toBeNull();
    expect(accepted(call('{"cursor":""}'))).toMatchObject({ cursor: '', wrongTypes: [] });
  });
});

describe('what a scan refuses', () => {
  test.each([
    ['', 'rpc.parse'],
    ['{', 'rpc.parse'],
    ['\uFEFF{"jsonrpc":"2.0","id":1,"method":"m"}', 'rpc.parse'],
    ['{"jsonrpc":"2.0","id":1,"method":"m"}x', 'rpc.parse'],
    ['{"jsonrpc":"2.0","id":1,"method":"m",}', 'rpc.parse'],
    ["{'jsonrpc':'2.0'}", 'rpc.parse'],
    ['<html>', 'rpc.parse'],
    [call('{"a":01}'), 'rpc.parse'],
    [call('{"a":+1}'), 'rpc.parse'],
    [call('{"a":1.}'), 'rpc.parse'],
    [call('{"a":NaN}'), 'rpc.parse'],
    [call('{"a":"\t"}'), 'rpc.parse'],
    [call('{"a":"\\x"}'), 'rpc.parse'],
    [call('{"a":"\\u12g4"}'), 'rpc.parse'],
    [call('{"a":[1,]}'), 'rpc.parse'],
    [call('{"a":[}'), 'rpc.parse'],
    ['[]', 'rpc.batch'],
    ['[{"jsonrpc":"2.0","id":1,"method":"m"}]', 'rpc.batch'],
    ['"text"', 'rpc.invalid'],
    ['{}', 'rpc.invalid'],
    ['{"jsonrpc":"1.0","id":1,"method":"m"}', 'rpc.invalid'],
    ['{"id":1,"method":"m"}', 'rpc.invalid'],
    ['{"jsonrpc":"2.0","id":1}', 'rpc.invalid'],
    ['{"jsonrpc":"2.0","id":null,"method":"m"}', 'rpc.invalid'],
    ['{"jsonrpc":"2.0","id":1.5,"method":"m"}', 'rpc.invalid'],
    ['{"jsonrpc":"2.0","id":1e3,"method":"m"}', 'rpc.invalid'],
    ['{"jsonrpc":"2.0","id":9007199254740993,"method":"m"}', 'rpc.invalid'],
    ['{"jsonrpc":"2.0","id":{},"method":"m"}', 'rpc.invalid'],
    ['{"jsonrpc":"2.0","id":1,"method":5}', 'rpc.invalid'],
    ['{"jsonrpc":"2.0","id":1,"method":"m","params":[1]}', 'rpc.invalid'],
    ['{"jsonrpc":"2.0","id":1,"method":"m","result":{}}', 'rpc.invalid'],
    ['{"jsonrpc":"2.0","id":1,"result":{},"error":{}}', 'rpc.invalid'],
    ['{"jsonrpc":"2.0","result":{}}', 'rpc.invalid'],
  ])('%s is %s', (text, code) => {
    expect(codeOf(text)).toBe(code);
  });

  test.each([
    ['a repeated known key', call('{"name":"a","name":"b"}')],
    ['a repeated key of anybody else', call('{"x":1,"x":1}')],
    ['an escaped spelling of a known key', call('{"name":"a","na\\u006de":"b"}')],
    ['an escaped spelling alone', call('{"na\\u006de":"b"}')],
    ['another case of a known key', call('{"name":"a","Name":"b"}')],
    ['another case alone', call('{"NAME":"b"}')],
    ['a long s', call('{"name":"t","arguments":{},"argument\u017f":{}}')],
    ['a Kelvin sign', call('{"progressToKen":1,"progressTo\u212aen":2}')],
    ['a NUL suffix', call('{"name":"a","name\\u0000":"b"}')],
    ['two foreign keys that fold alike', call('{"stra\u00dfe":1,"STRASSE":2}')],
    ['a lone surrogate in a key', call('{"\\ud800":1}')],
    ['a lone surrogate in the name', call('{"name":"\\udc00"}')],
    ['a repeated method', '{"jsonrpc":"2.0","id":1,"method":"a","method":"b"}'],
    ['a look-alike in the envelope', '{"jsonrpc":"2.0","id":1,"method":"a","Params":{}}'],
    ['a look-alike version in _meta', call('{"_meta":{"io.modelcontextprotocol/ProtocolVersion":"2026-07-28"}}')],
    ['a repeated key in _meta', call('{"_meta":{"traceparent":"a","traceparent":"b"}}')],
  ])('%s is ambiguous (trap 33)', (_title, text) => {
    expect(codeOf(text)).toBe('rpc.ambiguous');
  });

  test("keys inside arguments are the tool's own, unless somebody decides on them", () => {
    const text = call('{"name":"t","arguments":{"a":[{"x":1,"X":2}]}}');
    expect(codeOf(text)).toBe('accepted');
    expect(codeOf(text, { checkArguments: true })).toBe('rpc.ambiguous');
    const siblings = call('{"arguments":{"a":[{"x":1},{"x":2}],"b":{"x":{"x":1}}},"vendor":{"q":1,"q":2}}');
    expect(codeOf(siblings, { checkArguments: true })).toBe('accepted');
  });

  test('the answer to a refused message carries its id, also when the id comes last, but never one of two', () => {
    expect(scanText('{"jsonrpc":"2.0","params":{"name":"a","Name":"b"},"method":"m","id":"x"}')).toMatchObject({ ok: false, id: 'x' });
    expect(scanText('{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":')).toMatchObject({ ok: false, id: 1 });
    expect(scanText('{"jsonrpc":"2.0","id":1,"id":2,"method":"m"}')).toMatchObject({ ok: false, id: null });
  });

  test('bytes that are not UTF-8 are not JSON', () => {
    for (const bytes of [[0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xe2, 0x82]]) {
      const body = Buffer.concat([Buffer.from('{"jsonrpc":"2.0","id":1,"method":"'), Buffer.from(bytes), Buffer.from('"}')]);
      expect(scanMessage(body)).toMatchObject({ ok: false, refusal: { code: 'rpc.parse' } });
    }
  });
});

describe('how much work a message can make', () => {
  test('depth is refused one past the limit, and not before', () => {
    const nested = (depth: number): string => call(`{"a":${'['.repeat(depth - 2)}${']'.repeat(depth - 2)}}`);
    expect(codeOf(nested(64))).toBe('accepted');
    expect(codeOf(nested(65))).toBe('rpc.too_complex');
    expect(codeOf(nested(9), { depthMax: 8 })).toBe('rpc.too_complex');
  });

  test('elements are refused one past the limit, in the envelope and anywhere below', () => {
    // 4 members of the envelope and 1 of params come before the array's.
    const wide = (count: number): string => call(`{"a":[${Array(count).fill('0').join()}]}`);
    expect(codeOf(wide(5), { elementsMax: 10 })).toBe('accepted');
    expect(codeOf(wide(6), { elementsMax: 10 })).toBe('rpc.too_complex');
    expect(codeOf(wide(200_000))).toBe('rpc.too_complex');
  });

  test('100,000 brackets stop the walk at the limit, wherever they stand and whether or not they close', () => {
    const brackets = '['.repeat(100_000);
    for (const text of [brackets, brackets + ']'.repeat(100_000), call(`{"a":${brackets}`), '{"a":'.repeat(100_000)]) {
      expect(codeOf(text)).toBe('rpc.too_complex');
    }
  });
});

describe('agreement with JSON.parse', () => {
  const key = fc.oneof(
    fc.constantFrom('jsonrpc', 'id', 'method', 'params', 'name', 'uri', '_meta', 'x', 'Name'),
    fc.string({ unit: 'binary', maxLength: 6 }),
  );
  const mutation = fc.record({
    at: fc.nat(),
    character: fc.constantFrom('"', '{', '}', '[', ']', ',', ':', '\\', '0', '-', '.', 'e', ' ', '\n', 'u', '\u0001', 't'),
  });

  const parses = (text: string): boolean => {
    try {
      JSON.parse(text);
      return true;
    } catch {
      return false;
    }
  };

  test('what JSON.parse refuses is refused as not JSON, and nothing else is, for any text near JSON', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6, stringUnit: 'binary' }), fc.array(mutation, { maxLength: 2 }), (json, mutations) => {
        let text = json.toWellFormed();
        for (const { at, character } of mutations) {
          const position = at % (text.length + 1);
          text = (text.slice(0, position) + character + text.slice(position + (at % 2))).toWellFormed();
        }
        expect(codeOf(text) !== 'rpc.parse').toBe(parses(text));
      }),
      { numRuns: 2000 },
    );
  });

  test('the fields of an accepted message are those JSON.parse sees, however it is indented or escaped', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 12 });
    const envelope = fc.record({
      id: fc.oneof(
        fc.maxSafeInteger().map((n) => (n === 0 ? 0 : n)),
        text,
      ),
      method: text,
      name: text,
      uri: text,
      cursor: text,
      value: fc.jsonValue({ maxDepth: 5 }),
      indent: fc.constantFrom(0, 1, '\t'),
      escape: fc.boolean(),
    });
    fc.assert(
      fc.property(envelope, ({ id, method, name, uri, cursor, value, indent, escape }) => {
        const source = { jsonrpc: '2.0', id, method, params: { name, arguments: { value }, uri, cursor, other: value } };
        let json = JSON.stringify(source, null, indent);
        if (escape) json = json.replace(/[\u0080-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
        fc.pre([method, name, uri, cursor, String(id)].every((t) => t.isWellFormed()));
        const message = accepted(json, { checkArguments: false });
        expect(message).toMatchObject({ kind: 'request', id, method, name, uri, cursor });
        expect(JSON.parse(cut(json, message.argumentsSpan) ?? '')).toEqual(JSON.parse(JSON.stringify({ value })));
      }),
      { numRuns: 500 },
    );
  });

  test('no accepted params holds two keys that any fold, NUL removal or unescaping makes equal', () => {
    fc.assert(
      fc.property(fc.array(key, { minLength: 1, maxLength: 4 }), (keys) => {
        const params = `{${keys.map((k) => `${JSON.stringify(k)}:{}`).join()}}`;
        if (codeOf(call(params)) !== 'accepted') return;
        const plain = keys.map((k) => k.replaceAll('\0', ''));
        for (const form of [plain, plain.map((k) => k.toLowerCase()), plain.map((k) => k.toUpperCase())]) {
          expect(new Set(form).size).toBe(keys.length);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
