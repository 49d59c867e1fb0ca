import { describe, expect, test } from 'vitest';
import { classify } from './era.ts';
import { LEGACY_VERSIONS, MODERN_VERSION, negotiateLegacy, SUPPORTED_VERSIONS } from './revisions.ts';
import { scanMessage } from './scan.ts';
import type { ScannedMessage } from './scanned-message.ts';

function messageOf(value: unknown): ScannedMessage {
  const outcome = scanMessage(Buffer.from(JSON.stringify(value)));
  if (!outcome.ok) throw new Error(outcome.refusal.code);
  return outcome.message;
}

const VERSION_KEY = 'io.modelcontextprotocol/protocolVersion';
const CAPABILITIES_KEY = 'io.modelcontextprotocol/clientCapabilities';
const request = (meta: Record<string, unknown> | null, method = 'tools/list'): ScannedMessage =>
  messageOf({ jsonrpc: '2.0', id: 1, method, ...(meta === null ? {} : { params: { _meta: meta } }) });
const notification = (meta: Record<string, unknown> | null): ScannedMessage =>
  messageOf({ jsonrpc: '2.0', method: 'notifications/cancelled', params: meta === null ? {} : { _meta: meta } });

function answer(message: ScannedMessage | null, header?: string, method = 'POST'): string {
  const outcome = classify({ method, protocolVersionHeader: header, message });
  return 'era' in outcome ? outcome.era : outcome.refusal.code;
}

const complete = { [VERSION_KEY]: MODERN_VERSION, [CAPABILITIES_KEY]: {} };

describe('which era a request speaks', () => {
  test('GET and DELETE are session verbs, which only legacy revisions have', () => {
    expect(answer(null, MODERN_VERSION, 'GET')).toBe('legacy');
    expect(answer(null, undefined, 'DELETE')).toBe('legacy');
  });

  test('an envelope makes a request modern whatever its method, so that a modern initialize gets "method not found"', () => {
    expect(answer(request(complete), MODERN_VERSION)).toBe('modern');
    expect(answer(request(complete))).toBe('modern');
    expect(answer(request(complete, 'initialize'))).toBe('modern');
  });

  test('an incomplete envelope is invalid params, before any header is looked at', () => {
    expect(answer(request({ [VERSION_KEY]: MODERN_VERSION }))).toBe('rpc.params');
    expect(answer(request({ ...complete, [CAPABILITIES_KEY]: [] }))).toBe('rpc.params');
    expect(answer(request({ ...complete, [VERSION_KEY]: 5 }))).toBe('rpc.params');
    expect(answer(request({ ...complete, 'io.modelcontextprotocol/clientInfo': 'me' }))).toBe('rpc.params');
    expect(answer(request(null), MODERN_VERSION)).toBe('rpc.params');
    expect(answer(request({ [CAPABILITIES_KEY]: {} }), MODERN_VERSION)).toBe('rpc.params');
  });

  test('a version we do not speak is answered with those we do, and with itself', () => {
    const outcome = classify({
      method: 'POST',
      protocolVersionHeader: undefined,
      message: request({ ...complete, [VERSION_KEY]: '2099-01-01' }),
    });
    expect(outcome).toEqual({
      refusal: { code: 'rpc.unsupported_version', detail: null, data: { supported: [...SUPPORTED_VERSIONS], requested: '2099-01-01' } },
    });
    expect(answer(request({ ...complete, [VERSION_KEY]: '2025-11-25' }))).toBe('rpc.unsupported_version');
    expect(answer(request(null), '2099-01-01')).toBe('rpc.unsupported_version');
  });

  test('an envelope that the header contradicts is a mismatch, whether or not we speak the version it names', () => {
    const unknown = request({ ...complete, [VERSION_KEY]: '2099-01-01' });
    expect(answer(unknown, MODERN_VERSION)).toBe('rpc.header_mismatch');
    expect(answer(unknown, '2025-11-25')).toBe('rpc.header_mismatch');
    expect(answer(unknown, ' 2099-01-01 ')).toBe('rpc.unsupported_version');
  });

  test('a notification without an envelope goes by its header', () => {
    expect(answer(notification(null), MODERN_VERSION)).toBe('modern');
    expect(answer(notification(null), '2025-11-25')).toBe('legacy');
    expect(answer(notification(null))).toBe('legacy');
    expect(answer(notification({ [VERSION_KEY]: MODERN_VERSION }))).toBe('modern');
  });

  test('everything else is legacy, with or without a header; a handshake whatever its header says', () => {
    expect(answer(request(null))).toBe('legacy');
    expect(answer(request({ progressToken: 1 }), '2025-06-18')).toBe('legacy');
    expect(answer(request(null, 'initialize'), '2099-01-01')).toBe('legacy');
    expect(answer(messageOf({ jsonrpc: '2.0', id: 1, result: {} }), '2025-11-25')).toBe('legacy');
  });

  test('the modern revision has no responses from clients', () => {
    expect(answer(messageOf({ jsonrpc: '2.0', id: 1, result: {} }), MODERN_VERSION)).toBe('rpc.invalid');
  });
});

test('a handshake gets the version it asked for if we speak it, else our latest legacy one, never the stateless one', () => {
  for (const version of LEGACY_VERSIONS) expect(negotiateLegacy(version)).toBe(version);
  for (const version of [null, '', '2099-01-01', MODERN_VERSION]) expect(negotiateLegacy(version)).toBe('2025-11-25');
});
