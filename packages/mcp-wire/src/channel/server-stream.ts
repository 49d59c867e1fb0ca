import { setTimeout as sleep } from 'node:timers/promises';
import { type ChannelSession, type OpenSession, sessionHeaders } from './channel-session.ts';
import { discard, mediaTypeOf, readAnswer, type StreamEnd } from './read-answer.ts';
import type { ChannelAnswer, Send } from './send.ts';

export type ServerStreamDeps = {
  readonly send: Send;
  readonly session: ChannelSession;
  readonly deliver: (message: Buffer) => Promise<void>;
  /** The end of the channel. */
  readonly signal: AbortSignal;
};

const RETRY_MS = 1_000;
const RETRY_MS_MAX = 30_000;

/** How long to wait before coming back: what the server asked for, else longer each time that it went wrong. */
export function retryAfterMs(end: StreamEnd | null, failures: number): number {
  return Math.min(RETRY_MS_MAX, end?.retryMs ?? RETRY_MS * 2 ** Math.min(failures, 5));
}

/** Asks for the server's own messages, from `lastEventId` on. */
export function openStream(send: Send, session: OpenSession, lastEventId: string | null, signal: AbortSignal): Promise<ChannelAnswer> {
  const resume = lastEventId === null ? {} : { 'last-event-id': lastEventId };
  return send({ method: 'GET', headers: { accept: 'text/event-stream', ...sessionHeaders(session), ...resume }, body: null, signal });
}

/** Follows the server's own messages until the channel ends or the server offers no such stream. Never rejects. */
export async function followServer({ send, session, deliver, signal }: ServerStreamDeps): Promise<void> {
  let end: StreamEnd | null = null;
  let failures = 0;
  while (!signal.aborted) {
    const current = session.current;
    if (current === null) return;
    try {
      const answer = await openStream(send, current, end?.lastEventId ?? null, signal);
      if (answer.status === 200 && mediaTypeOf(answer) === 'text/event-stream') {
        failures = 0;
        end = await readAnswer(answer, deliver);
      } else {
        await discard(answer);
        if (answer.status === 405 || answer.status === 200) return;
        if (answer.status === 404 && (await session.replace(current)) === null) return;
        [end, failures] = [null, failures + 1];
      }
    } catch {
      failures += 1;
    }
    await sleep(retryAfterMs(end, failures), undefined, { signal, ref: false }).catch(() => undefined);
  }
}
