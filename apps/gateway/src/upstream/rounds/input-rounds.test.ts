import type { OrganisationId, UserId } from '@patchbay/contracts';
import { createKeyring } from '@patchbay/vault';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { CallContext } from '../../pipeline/context.ts';
import type { ClientSession } from '../../sessions/client-session.ts';
import type { RelayEnd } from '../relay-end.ts';
import { type Answer, InputRounds } from './input-rounds.ts';
import type { InputRequired } from './input-required.ts';
import { makeQuestionIds } from './question-ids.ts';
import { WaitingCalls } from './waiting-calls.ts';

const ASKED: InputRequired = {
  requests: [{ key: 'name', method: 'elicitation/create', params: Buffer.from('{"message":"Who?"}') }],
  requestState: '"s"',
};
const LATER: InputRequired = { requests: [], requestState: '"later"' };
const DONE: RelayEnd = { kind: 'answered', isToolError: false };
const SESSION: ClientSession = {
  organisationId: '00000000-0000-4000-8000-000000000001' as OrganisationId,
  serverId: null,
  userId: '00000000-0000-4000-8000-000000000002' as UserId,
  key: 'key',
  protocolVersion: '2025-11-25',
  capabilities: '{"elicitation":{}}',
  clientInfo: null,
  expiresAtMs: Number.MAX_SAFE_INTEGER,
  upstreamSessionId: null,
  upstreamInstance: null,
};

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function start(attempts: readonly RelayEnd[], first: InputRequired = ASKED) {
  let deliver: (letter: string) => void = () => undefined;
  const state = { closed: false, attempts: 0, isGone: false };
  const sent: { method?: string; params?: Record<string, unknown> }[] = [];
  const mailboxes = {
    open: (_organisation: OrganisationId, onLetter: (letter: string) => void) => {
      deliver = onLetter;
      return Promise.resolve({ address: 'pod.box', fetch: () => Promise.resolve(), close: () => void (state.closed = true) });
    },
  };
  const waiting = new WaitingCalls();
  const questionIds = makeQuestionIds(createKeyring([Buffer.alloc(32, 1)]));
  const rounds = new InputRounds(
    { mailboxes, questionIds, waiting, ownOrigin: 'https://patchbay.example' },
    {
      ctx: { endpointServer: null, message: { id: 7 } } as CallContext,
      session: SESSION,
      slug: 's',
      sampling: 'relayed',
      downstream: {
        get isGone() {
          return state.isGone;
        },
        keepAlive: () => undefined,
        sendPosition: () => true,
        sendEvent: (data: Buffer) => sent.push(JSON.parse(data.toString()) as never) > 0,
      },
    },
  );
  const ended = rounds.run(first, () => {
    const end = attempts[state.attempts] ?? DONE;
    state.attempts += 1;
    return Promise.resolve(end);
  });
  const answer = (said: Partial<Answer>): void =>
    deliver(JSON.stringify({ round: 1, key: 'name', result: '{"action":"accept"}', error: null, ...said }));
  return { answer, ended, rounds, sent, state, waiting };
}

const asked = (call: ReturnType<typeof start>, times = 1): Promise<void> =>
  vi.waitFor(() => expect(call.sent.filter(({ method }) => method === 'elicitation/create')).toHaveLength(times));

test('an answer of an earlier round, to another question or given twice answers nothing', async () => {
  const call = start([{ kind: 'input-required', required: ASKED }]);
  await asked(call);
  call.answer({ key: 'other' });
  call.answer({ round: 2 });
  expect(call.state.attempts).toBe(0);
  call.answer({ result: '{"action":"accept","content":{"first":1}}' });
  await asked(call, 2);
  expect(call.rounds.continuation).toEqual({ inputResponses: '{"name":{"action":"accept","content":{"first":1}}}', requestState: '"s"' });
  call.answer({ round: 1 });
  expect(call.state.attempts).toBe(1);
  call.answer({ round: 2, result: '{"action":"decline"}' });
  expect(await call.ended).toBe(DONE);
  expect(call.rounds.continuation?.inputResponses).toBe('{"name":{"action":"decline"}}');
  expect(call.state.closed).toBe(true);
});

test('a client that does not answer is told after ten minutes that it need not any more, and the call ends', async () => {
  const call = start([]);
  await asked(call);
  await vi.advanceTimersByTimeAsync(599_000);
  expect(call.state.closed).toBe(false);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await call.ended).toMatchObject({ kind: 'refused', refusal: { code: 'upstream.unanswered' } });
  expect(call.sent.at(-1)?.method).toBe('notifications/cancelled');
  expect(call.state).toMatchObject({ attempts: 0, closed: true });
});

test('a client that has left may still answer for a minute', async () => {
  const call = start([]);
  await asked(call);
  call.rounds.left();
  await vi.advanceTimersByTimeAsync(59_000);
  call.answer({});
  expect(await call.ended).toBe(DONE);
  const other = start([]);
  await asked(other);
  other.rounds.left();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(await other.ended).toMatchObject({ kind: 'refused' });
});

test('a client that takes its call back, and a pod that stops, end the waiting at once', async () => {
  const cancelled = start([]);
  await asked(cancelled);
  cancelled.rounds.cancel();
  expect(await cancelled.ended).toEqual({ kind: 'cancelled' });
  const stopped = start([]);
  await asked(stopped);
  stopped.waiting.endAll();
  expect(await stopped.ended).toMatchObject({ kind: 'refused', refusal: { code: 'upstream.call_lost' } });
  expect(stopped.state.attempts).toBe(0);
});

test('a server that wants to be asked later is left alone longer each time, and not for ever', async () => {
  const call = start(
    Array.from({ length: 20 }, () => ({ kind: 'input-required', required: LATER }) as const),
    LATER,
  );
  await vi.advanceTimersByTimeAsync(499);
  expect(call.state.attempts).toBe(0);
  await vi.advanceTimersByTimeAsync(1);
  expect(call.state.attempts).toBe(1);
  await vi.advanceTimersByTimeAsync(999);
  expect(call.state.attempts).toBe(1);
  await vi.advanceTimersByTimeAsync(120_000);
  expect(await call.ended).toMatchObject({ kind: 'refused', refusal: { code: 'upstream.unanswered' } });
  expect(call.state.attempts).toBe(10);
});

test('nobody is asked on a stream that has gone', async () => {
  const call = start([]);
  call.state.isGone = true;
  expect(await call.ended).toEqual({ kind: 'cancelled' });
  expect(call.sent).toEqual([]);
});
