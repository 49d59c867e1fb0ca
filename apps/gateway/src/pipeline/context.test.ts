import type { IncomingMessage, ServerResponse } from 'node:http';
import { expect, test } from 'vitest';
import { CallContext } from './context.ts';

// Guarantee: every field exists from birth in one order, so that V8 keeps one hidden class for all calls.
test('a call context has all its fields at birth', () => {
  const context = new CallContext({} as IncomingMessage, {} as ServerResponse, 0);
  expect(Object.keys(context)).toMatchInlineSnapshot(`
    [
      "request",
      "response",
      "startedAtMs",
      "organisationSlug",
      "serverSlug",
      "foreignOrigin",
      "principal",
      "tokenHash",
      "snapshot",
      "endpointServer",
      "refusedId",
      "body",
      "message",
      "era",
      "protocolVersion",
      "session",
      "target",
      "grantId",
      "admission",
      "auditedLimitId",
      "upstreamHeaders",
      "upstreamStartedAtMs",
      "upstreamMs",
      "upstreamStatus",
      "span",
      "traceparent",
      "outcome",
    ]
  `);
  expect(Object.values(context)).not.toContain(undefined);
});
