import type { OrganisationId, UserId } from '@patchbay/contracts';
import { expect, test } from 'vitest';
import type { ClientSession } from '../../sessions/client-session.ts';
import { fitQuestions } from './fit-questions.ts';
import type { InputRequest } from './input-required.ts';

const SESSION = {
  organisationId: '00000000-0000-4000-8000-000000000001' as OrganisationId,
  userId: '00000000-0000-4000-8000-000000000002' as UserId,
  protocolVersion: '2025-11-25',
  capabilities: '{"elicitation":{"form":{},"url":{}}}',
} as ClientSession;
const ASKER = { slug: 's', sampling: 'relayed' as const, ownOrigin: 'https://patchbay.example', session: SESSION };
const ask = (method: string, params: object | null, key = 'k'): InputRequest => ({
  key,
  method,
  params: params === null ? null : Buffer.from(JSON.stringify(params)),
});

test('what a client can answer is asked as it stands', () => {
  const requests = [ask('elicitation/create', { message: 'm' }), ask('elicitation/create', { mode: 'url', url: 'https://example.com' })];
  expect(fitQuestions(requests, ASKER)).toEqual(requests);
});

test.each([
  ['what the client did not declare', [ask('sampling/createMessage', { messages: [] })], 'upstream.capability_missing'],
  ['what no client is ever asked', [ask('tools/call', {})], 'upstream.broken'],
  ['a page of ours', [ask('elicitation/create', { mode: 'url', url: 'https://patchbay.example/connect' })], 'upstream.broken'],
  [
    'one answerable thing beside another that is not',
    [ask('elicitation/create', { message: 'm' }), ask('roots/list', null)],
    'upstream.capability_missing',
  ],
  [
    'more than a person can be shown',
    Array.from({ length: 33 }, (_, k) => ask('elicitation/create', { message: 'm' }, `k${k}`)),
    'upstream.broken',
  ],
])('a server that asks for %s is refused, and nothing is asked', (_what, requests, code) => {
  expect(fitQuestions(requests, ASKER)).toMatchObject({ code });
});
