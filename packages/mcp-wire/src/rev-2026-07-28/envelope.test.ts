import { describe, expect, test } from 'vitest';
import { INITIALIZED_NOTIFICATION, initializeRequest, legacyErrorCode } from '../rev-2025-11-25/initialize.ts';
import { scanMessage } from '../scan.ts';
import { splice } from '../splice.ts';
import { addMetaMembers, completeResult, modernErrorCode, requestMeta } from './envelope.ts';

const completed = (method: string, text: string, serverInfo?: string): string | undefined =>
  completeResult(method, Buffer.from(text), serverInfo)?.toString();

describe('a legacy result for a modern client', () => {
  test('says that it is complete, and how long it may be kept where that must be said', () => {
    expect(completed('tools/call', '{"content":[]}')).toBe('{"resultType":"complete","content":[]}');
    for (const method of [
      'server/discover',
      'tools/list',
      'prompts/list',
      'resources/list',
      'resources/templates/list',
      'resources/read',
    ]) {
      expect(completed(method, '{ "x":1}')).toBe('{"resultType":"complete","ttlMs":0,"cacheScope":"private", "x":1}');
    }
    expect(completed('prompts/get', '{ }')).toBe('{"resultType":"complete" }');
  });

  test('keeps every byte the upstream wrote, and what it already says', () => {
    expect(completed('tools/call', '{"vendor":12345678901234567890,"a":"\\u00e9"}')).toBe(
      '{"resultType":"complete","vendor":12345678901234567890,"a":"\\u00e9"}',
    );
    expect(completed('tools/list', '{"resultType":"input_required","ttlMs":5,"cacheScope":"public"}')).toBe(
      '{"resultType":"input_required","ttlMs":5,"cacheScope":"public"}',
    );
  });

  test('names the server in _meta unless it named itself', () => {
    expect(completed('ping', '{}', '{"name":"s"}')).toBe(
      '{"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s"}}}',
    );
    expect(completed('ping', '{"a":1,"_meta":{"k":1}}', '{}')).toBe(
      '{"resultType":"complete","a":1,"_meta":{"io.modelcontextprotocol/serverInfo":{},"k":1}}',
    );
    const own = '{"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"own"}}}';
    expect(completed('ping', own, '{}')).toBe(own);
    expect(completed('ping', '{"_meta":5}', '{}')).toBe('{"resultType":"complete","_meta":5}');
  });

  test('that is no object is none', () => {
    for (const text of ['[]', '5', 'null', '{"a"', '']) expect(completeResult('ping', Buffer.from(text))).toBeNull();
  });
});

describe('requests of ours', () => {
  test('_meta carries what the revision requires and what was handed in, a token 0 included', () => {
    const meta: unknown = JSON.parse(
      requestMeta({
        clientCapabilities: '{"roots":{}}',
        clientInfo: { name: 'n"', version: '1' },
        progressToken: 0,
        traceparent: '00-a',
        tracestate: null,
      }),
    );
    expect(meta).toEqual({
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': { roots: {} },
      'io.modelcontextprotocol/clientInfo': { name: 'n"', version: '1' },
      progressToken: 0,
      traceparent: '00-a',
    });
  });

  test.each([
    ['{"jsonrpc":"2.0","id":1,"method":"m"}', { x: 1 }],
    ['{"method":"m","jsonrpc":"2.0","id":1,"params":{}}', { x: 1 }],
    ['{"jsonrpc":"2.0","id":1,"method":"m","params":{ "_meta": {} }}', { x: 1 }],
    ['{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":{"y":2}}}', { x: 1, y: 2 }],
  ])('members are added to the _meta of %s', (text, meta) => {
    const bytes = Buffer.from(text);
    const scanned = scanMessage(bytes);
    if (!scanned.ok) throw new Error(scanned.refusal.code);
    const added = splice(bytes, [addMetaMembers(bytes, scanned.message, '"x":1')]);
    expect(scanMessage(added).ok).toBe(true);
    expect(JSON.parse(added.toString())).toMatchObject({ jsonrpc: '2.0', id: 1, method: 'm', params: { _meta: meta } });
  });

  test('a session opens with what its client declared, and no more', () => {
    const clientInfo = '{"name":"patchbay","version":"1"}';
    const request: unknown = JSON.parse(
      initializeRequest({ id: 0, protocolVersion: '2025-11-25', capabilities: '{"roots":{}}', clientInfo }),
    );
    expect(request).toEqual({
      jsonrpc: '2.0',
      id: 0,
      method: 'initialize',
      params: { protocolVersion: '2025-11-25', capabilities: { roots: {} }, clientInfo: { name: 'patchbay', version: '1' } },
    });
    expect(scanMessage(Buffer.from(INITIALIZED_NOTIFICATION))).toMatchObject({
      ok: true,
      message: { kind: 'notification', method: 'notifications/initialized' },
    });
  });
});

test('"resource not found" has the number that each era knows; other numbers stay', () => {
  expect([modernErrorCode(-32002), modernErrorCode(-32601)]).toEqual([-32602, -32601]);
  expect([
    legacyErrorCode('resources/read', -32602),
    legacyErrorCode('tools/call', -32602),
    legacyErrorCode('resources/read', -32603),
  ]).toEqual([-32002, -32602, -32603]);
});
