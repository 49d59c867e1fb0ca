import type { ScannedMessage } from '@patchbay/mcp-wire';
import { notify } from '../open-session.ts';
import type { Upstream } from '../upstreams.ts';
import type { LocatedSession } from '../ways.ts';
import type { AskingAttempt } from './asking-attempt.ts';
import { mayAsk, SAMPLING_REFUSED } from '../sampling.ts';
import { type Refused, TAKES_NO_REQUESTS } from './takes-no-requests.ts';

/** Where a request of a legacy server came from; `asking` null: nothing could carry it to the client. */
export type Asker = { readonly asking: AskingAttempt | null; readonly session: LocatedSession; readonly upstream: Upstream };

/** Answers a request that was not passed on to a client, unless the client is asked in another way: a server must not be left waiting. */
export function answerServer({ asking, session, upstream }: Asker, bytes: Buffer, message: ScannedMessage): void {
  const { id, method } = message;
  const refused = method === 'ping' ? null : refusedBy(asking, upstream, { bytes, message });
  if (refused === null && method !== 'ping') return;
  const answer = refused === null ? { result: {} } : { error: refused };
  void notify(upstream, session, JSON.stringify({ jsonrpc: '2.0', id, ...answer }));
}

type Request = { readonly bytes: Buffer; readonly message: ScannedMessage };

function refusedBy(asking: AskingAttempt | null, { server }: Upstream, { bytes, message }: Request): Refused | null {
  if (!mayAsk(server.sampling, message)) return SAMPLING_REFUSED;
  return asking === null ? TAKES_NO_REQUESTS : asking.take(bytes, message);
}
