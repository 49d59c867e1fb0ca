import { expect, test } from 'vitest';
import { catalog } from './catalog.ts';

// Guarantee: clients and dashboards branch on these; changing one is a breaking release, so they are literals here.
test('the codes, statuses and numbers callers rely on stay put', () => {
  const wire = Object.entries(catalog).map(([code, row]) => `${code} ${row.http} ${row.rpc}`);
  expect(wire).toEqual([
    'auth.invalid_token 401 -31401',
    'auth.unavailable 503 -31503',
    'auth.sign_in_failed 401 -31401',
    'auth.signed_out 401 -31401',
    'auth.forbidden 403 -31403',
    'auth.recent_sign_in_required 403 -31403',
    'auth.too_many_attempts 429 -31429',
    'auth.cross_site 403 -31403',
    'http.host 421 -31421',
    'http.tls_required 403 -31403',
    'http.origin 403 -31403',
    'http.not_found 404 -31404',
    'http.method 405 -31405',
    'http.media_type 415 -31415',
    'http.not_acceptable 406 -31406',
    'http.body_too_large 413 -31413',
    'http.body_timeout 408 -31408',
    'http.overloaded 503 -31503',
    'rpc.parse 400 -32700',
    'rpc.invalid 400 -32600',
    'rpc.batch 400 -32600',
    'rpc.ambiguous 400 -32600',
    'rpc.too_complex 400 -32600',
    'rpc.params 400 -32602',
    'rpc.header_mismatch 400 -32020',
    'rpc.capability_missing 400 -32021',
    'rpc.unsupported_version 400 -32022',
    'rpc.method_unknown 404 -32601',
    'session.gone 404 -31404',
    'stream.position 400 -31400',
    'stream.taken 409 -31409',
    'answer.unexpected 400 -31410',
    'stream.limit 429 -31429',
    'endpoint.forbidden 403 -31403',
    'tool.unknown 200 -32602',
    'tool.ambiguous 200 -32602',
    'prompt.unknown 200 -32602',
    'resource.unknown 200 -32602',
    'resource.ambiguous 200 -32602',
    'completion.unknown 200 -32602',
    'task.unknown 200 -32602',
    'cursor.invalid 200 -32602',
    'limit.exceeded 200 -31429',
    'upstream.unreachable 200 -31502',
    'upstream.timeout 200 -31504',
    'upstream.broken 200 -31505',
    'upstream.refused 200 -31506',
    'upstream.era 200 -31507',
    'upstream.egress 200 -31508',
    'upstream.credential_unavailable 200 -31509',
    'upstream.call_lost 200 -31515',
    'upstream.capability_missing 200 -31517',
    'upstream.unanswered 200 -31518',
    'stdio.limit 503 -31510',
    'stdio.start_failed 502 -31511',
    'stdio.launch_unavailable 503 -31512',
    'stdio.launch_gone 404 -31513',
    'stdio.stopping 503 -31514',
    'api.validation 400 -32602',
    'api.not_found 404 -31404',
    'api.conflict 409 -31409',
    'api.too_many 409 -31409',
    'stdio.not_allowed 403 -31403',
    'staleness.exceeded 503 -31503',
    'internal 500 -31500',
  ]);
});

test('our own JSON-RPC numbers lie outside the range that the specification reserves', () => {
  const ofTheProtocol = new Set([-32700, -32600, -32601, -32602, -32020, -32021, -32022]);
  for (const [code, { rpc }] of Object.entries(catalog)) {
    expect(ofTheProtocol.has(rpc) || rpc > -32000 || rpc < -32768, `${code} ${rpc}`).toBe(true);
  }
});

test('each sentence is one a person can act on: it ends, and names no internals', () => {
  for (const { say } of Object.values(catalog)) {
    expect(say).toMatch(/^[A-Z].*\.$/);
    expect(say).not.toMatch(/undefined|null|exception|prisma|postgres/i);
  }
});
