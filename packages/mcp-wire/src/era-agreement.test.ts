import { classifyInboundRequest } from '@modelcontextprotocol/server';
import { catalog } from '@patchbay/errors';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { classify } from './era.ts';
import { LEGACY_VERSIONS, MODERN_VERSION } from './revisions.ts';
import { scanMessage } from './scan.ts';

type Sent = { readonly verb: string; readonly header: string | undefined; readonly body: object };
/** The era, or the JSON-RPC code of the refusal. */
type Verdict = string | number;

function ourVerdict({ body, header, verb }: Sent): Verdict {
  const scanned = scanMessage(Buffer.from(JSON.stringify(body)));
  if (!scanned.ok) throw new Error(scanned.refusal.code);
  const outcome = classify({ method: verb, protocolVersionHeader: header, message: verb === 'POST' ? scanned.message : null });
  return 'era' in outcome ? outcome.era : catalog[outcome.refusal.code].rpc;
}

/** What the official SDK makes of the same request. */
function theirVerdict({ body, header, verb }: Sent): Verdict {
  const outcome = classifyInboundRequest({
    httpMethod: verb,
    ...(header === undefined ? {} : { protocolVersionHeader: header }),
    ...(verb === 'POST' ? { body: JSON.parse(JSON.stringify(body)) as unknown } : {}),
  });
  return outcome.kind === 'reject' ? outcome.code : outcome.kind;
}

const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined });
const id = fc.constantFrom<string | number>(0, 1, '0', '');
const method = fc.constantFrom('tools/list', 'server/discover', 'ping', 'resources/read', 'vendor/x');
const version = fc.constantFrom<string>(...LEGACY_VERSIONS, MODERN_VERSION);
const CLIENT_INFO = { name: 'c', version: '1' };

function envelope(more: object = {}): object {
  return {
    'io.modelcontextprotocol/protocolVersion': MODERN_VERSION,
    'io.modelcontextprotocol/clientCapabilities': {},
    'io.modelcontextprotocol/clientInfo': CLIENT_INFO,
    ...more,
  };
}

const legacyHeader = maybe(fc.constantFrom<string>(...LEGACY_VERSIONS));
const legacyParams = maybe(fc.record({ _meta: maybe(fc.record({ progressToken: fc.constantFrom(0, 'p') })), name: fc.string() }));
/** What a client of either era sends when it does nothing wrong. */
const proper: fc.Arbitrary<Sent> = fc.oneof(
  fc.record({
    verb: fc.constantFrom('GET', 'DELETE'),
    header: maybe(version),
    body: fc.constant({ jsonrpc: '2.0', id: 1, method: 'ping' }),
  }),
  fc.record({
    verb: fc.constant('POST'),
    header: legacyHeader,
    body: fc.oneof(
      fc.record({ jsonrpc: fc.constant('2.0'), id, method: fc.oneof(method, fc.constant('initialize')), params: legacyParams }),
      fc.record({ jsonrpc: fc.constant('2.0'), method: fc.constant('notifications/cancelled'), params: legacyParams }),
      fc.record({ jsonrpc: fc.constant('2.0'), id, result: fc.constant({}) }),
    ),
  }),
  fc.record({
    verb: fc.constant('POST'),
    header: fc.constant(MODERN_VERSION),
    body: fc.oneof(
      fc.record({ jsonrpc: fc.constant('2.0'), id, method, params: fc.constant({ _meta: envelope({ progressToken: 0 }) }) }),
      fc.record({ jsonrpc: fc.constant('2.0'), method: fc.constant('notifications/vendor') }),
    ),
  }),
);

const odd = fc.constantFrom<unknown>(null, 5, [], 'x', true, '2099-01-01');
const oddMeta = fc.record(
  {
    'io.modelcontextprotocol/protocolVersion': fc.oneof(version, odd),
    'io.modelcontextprotocol/clientCapabilities': fc.oneof(fc.constant({}), odd),
    'io.modelcontextprotocol/clientInfo': fc.oneof(fc.constant(CLIENT_INFO), odd),
  },
  { requiredKeys: [] },
);
const anything: fc.Arbitrary<Sent> = fc.record({
  verb: fc.constant('POST'),
  header: maybe(version),
  body: fc.oneof(
    fc.record({
      jsonrpc: fc.constant('2.0'),
      id,
      method: fc.oneof(method, fc.constant('initialize')),
      params: fc.record({ _meta: oddMeta }),
    }),
    fc.record({ jsonrpc: fc.constant('2.0'), method, params: fc.record({ _meta: oddMeta }) }),
  ),
});

describe('the era is the one that the official SDK sees', () => {
  test('in every request of a client that does nothing wrong', () => {
    fc.assert(
      fc.property(proper, (sent) => {
        expect(ourVerdict(sent)).toBe(theirVerdict(sent));
      }),
      { numRuns: 2_000 },
    );
  });

  // Guarantee: where we and a server of the other party's making both take a request, we take it for the same thing.
  test('in every other request too, unless one of the two refuses it', () => {
    fc.assert(
      fc.property(anything, (sent) => {
        const [ours, theirs] = [ourVerdict(sent), theirVerdict(sent)];
        fc.pre(typeof ours === 'string' && typeof theirs === 'string');
        expect(ours).toBe(theirs);
      }),
      { numRuns: 2_000 },
    );
  });
});
