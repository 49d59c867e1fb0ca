import { scanMessage, type ScannedMessage } from '@patchbay/mcp-wire';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { legacyToModernAnswer, modernToLegacyAnswer } from './answers.ts';
import { carryNotification } from './notifications.ts';
import { envelopeOf } from './envelope.ts';
import { legacyToModernRequest, modernToLegacyRequest, sameEraRequest } from './request-edits.ts';

const NO_CHANGES = { id: null, name: null, traceparent: null, capabilities: null };
const TO_MODERN = { ...NO_CHANGES, envelope: envelopeOf(null, { level: null, sampling: 'relayed' }), continuation: null };
const ENVELOPE = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': { sampling: {} },
  'io.modelcontextprotocol/clientInfo': { name: 'c', version: '1' },
  'io.modelcontextprotocol/logLevel': 'debug',
};

function scanned(text: string): { bytes: Buffer; message: ScannedMessage } {
  const bytes = Buffer.from(text);
  const outcome = scanMessage(bytes);
  if (!outcome.ok) throw new Error(outcome.refusal.code);
  return { bytes, message: outcome.message };
}

function request(params: object): { bytes: Buffer; message: ScannedMessage } {
  return scanned(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }));
}

const parse = (bytes: Buffer): never => JSON.parse(bytes.toString()) as never;

describe('a request', () => {
  it('of the same era with nothing to change is the very same buffer', () => {
    const { bytes, message } = request({ name: 't', _meta: { progressToken: 1 } });
    expect(sameEraRequest(bytes, message, NO_CHANGES)).toBe(bytes);
  });

  it('changes exactly name, id, progress token and traceparent, wherever they stand', () => {
    const changes = { ...NO_CHANGES, id: 'pb-1', name: 'own', traceparent: '00-b' };
    const orders = [
      { name: 'exposed', _meta: { traceparent: '00-a', progressToken: 1, other: 'id' }, arguments: { name: 'exposed', id: 1 } },
      { _meta: { progressToken: 'x', traceparent: '00-a' }, arguments: {}, name: 'exposed' },
    ];
    for (const params of orders) {
      const { bytes, message } = request(params);
      const meta = { ...params._meta, progressToken: 'pb-1', traceparent: '00-b' };
      expect(parse(sameEraRequest(bytes, message, changes))).toEqual({
        jsonrpc: '2.0',
        id: 'pb-1',
        method: 'tools/call',
        params: { ...params, name: 'own', _meta: meta },
      });
    }
  });

  it('never gains a progress token or traceparent that the client did not send', () => {
    const { bytes, message } = request({ name: 't' });
    expect(parse(sameEraRequest(bytes, message, { ...NO_CHANGES, id: 'pb-1', traceparent: '00-b' }))).toEqual({
      jsonrpc: '2.0',
      id: 'pb-1',
      method: 'tools/call',
      params: { name: 't' },
    });
  });

  it('survives the way to the other era and back in everything but its envelope', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.dictionary(fc.stringMatching(/^[a-z]{1,8}\/[a-z]{1,8}$/), fc.jsonValue()),
        fc.boolean(),
        (args, meta, hasMeta) => {
          const params = { name: 't', arguments: args, ...(hasMeta ? { _meta: meta } : {}) };
          const legacy = request(params);
          const modern = scanned(legacyToModernRequest(legacy.bytes, legacy.message, TO_MODERN).toString());
          expect(modern.message.metaProtocolVersion).toBe('2026-07-28');
          const back = modernToLegacyRequest(modern.bytes, modern.message, NO_CHANGES);
          expect(parse(back)).toEqual(
            JSON.parse(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { ...params, _meta: hasMeta ? meta : {} } })),
          );
        },
      ),
    );
  });

  it('to a modern server declares no client capability, whatever a legacy client put there', () => {
    const { bytes, message } = request({
      name: 't',
      _meta: { 'io.modelcontextprotocol/clientCapabilities': { sampling: {} }, progressToken: 3 },
    });
    const meta = (parse(legacyToModernRequest(bytes, message, TO_MODERN)) as { params: { _meta: Record<string, unknown> } }).params._meta;
    expect(meta).toMatchObject({ 'io.modelcontextprotocol/clientCapabilities': {}, progressToken: 3 });
  });

  it('to a legacy server loses the whole envelope', () => {
    const { bytes, message } = request({ name: 't', _meta: { ...ENVELOPE, progressToken: 3 } });
    const sent = modernToLegacyRequest(bytes, message, { ...NO_CHANGES, id: 'pb-1' });
    expect(parse(sent)).toEqual({
      jsonrpc: '2.0',
      id: 'pb-1',
      method: 'tools/call',
      params: { name: 't', _meta: { progressToken: 'pb-1' } },
    });
  });
});

const CHANGES = { id: '"mine"', method: 'resources/read', slug: 's' };
const answer = (content: object): { bytes: Buffer; message: ScannedMessage } =>
  scanned(JSON.stringify({ jsonrpc: '2.0', id: 'pb-1', ...content }));

describe('an answer', () => {
  it('of a legacy server is completed for a modern client, its own members kept', () => {
    const { bytes, message } = answer({ result: { contents: [], _meta: { a: 1 }, unknown: true } });
    expect(parse(legacyToModernAnswer(bytes, message, CHANGES, '{"name":"s"}') as Buffer)).toEqual({
      jsonrpc: '2.0',
      id: 'mine',
      result: {
        contents: [],
        unknown: true,
        resultType: 'complete',
        ttlMs: 0,
        cacheScope: 'private',
        _meta: { a: 1, 'io.modelcontextprotocol/serverInfo': { name: 's' } },
      },
    });
  });

  it.each([
    [-32002, -32602],
    [-32603, -32603],
  ])('with the legacy error %d is %d to a modern client', (code, expected) => {
    const { bytes, message } = answer({ error: { code, message: 'm', data: { uri: 'x' } } });
    expect(parse(legacyToModernAnswer(bytes, message, CHANGES, null) as Buffer)).toEqual({
      jsonrpc: '2.0',
      id: 'mine',
      error: { code: expected, message: 'm', data: { uri: 'x' } },
    });
  });

  it.each([
    ['resources/read', -32602, -32002],
    ['tools/call', -32602, -32602],
  ])('to %s with the modern error %d is %d to a legacy client', (method, code, expected) => {
    const { bytes, message } = answer({ error: { code, message: 'm' } });
    expect(parse(modernToLegacyAnswer(bytes, message, { ...CHANGES, method }) as Buffer)).toMatchObject({ error: { code: expected } });
  });

  it.each([
    ['input_required and nothing to go on with', { result: { resultType: 'input_required' } }, 'upstream.broken'],
    ['a task', { result: { resultType: 'task', taskId: 't' } }, 'upstream.era'],
    ['an unknown type', { result: { resultType: 'later' } }, 'upstream.era'],
    ['a missing client capability', { error: { code: -32021, message: 'm' } }, 'upstream.capability_missing'],
    ['a complaint about our headers', { error: { code: -32020, message: 'm' } }, 'upstream.broken'],
  ])('with %s is a refusal to a legacy client', (_what, content, code) => {
    const { bytes, message } = answer(content);
    expect(modernToLegacyAnswer(bytes, message, CHANGES)).toMatchObject({ code });
  });
});

describe('a notification', () => {
  const progress = scanned('{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"pb-1","progress":1}}');

  it.each([
    ['under the client token where the session is shared', { upstream: 'pb-1', client: '0' }, '"progressToken":0'],
    ['unchanged where it is not', null, '"progressToken":"pb-1"'],
  ])('of progress is carried %s', (_how, token, expected) => {
    expect(
      carryNotification(progress.bytes, progress.message, { token, crossesEras: true, wantsLogs: false, isLive: false })?.toString(),
    ).toContain(expected);
  });

  it.each([
    ['of another request', { upstream: 'pb-2', client: '0' }],
    ['that the client did not ask for', { upstream: 'pb-1', client: null }],
  ])('of progress %s is dropped', (_what, token) => {
    expect(carryNotification(progress.bytes, progress.message, { token, crossesEras: false, wantsLogs: false, isLive: false })).toBeNull();
  });

  it.each([
    ['notifications/tools/list_changed', false, false],
    ['notifications/message', true, false],
    ['notifications/message', false, true],
    ['notifications/vendor', false, true],
  ])('%s (across eras: %s) is carried: %s', (method, crossesEras, isCarried) => {
    const { bytes, message } = scanned(JSON.stringify({ jsonrpc: '2.0', method, params: {} }));
    expect(carryNotification(bytes, message, { token: null, crossesEras, wantsLogs: false, isLive: false }) !== null).toBe(isCarried);
  });
});
