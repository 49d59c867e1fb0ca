import { setTimeout as sleep } from 'node:timers/promises';
import { type Refusal, refusal } from '@patchbay/errors';
import { LEGACY_VERSIONS } from '../revisions.ts';
import { scanMessage, type ScanOutcome } from '../scan.ts';
import type { ScannedMessage } from '../scanned-message.ts';
import { ACCEPT_BOTH, ChannelSession, sessionHeaders } from './channel-session.ts';
import { ModernRequests } from './modern-requests.ts';
import { isModernMessage, type Pending, PendingRequests } from './pending.ts';
import { discard, endedEarly, mediaTypeOf, readAnswer, readWhole, type StreamEnd } from './read-answer.ts';
import type { ChannelAnswer, Send } from './send.ts';
import { followServer, openStream, retryAfterMs } from './server-stream.ts';

export type ChannelDeps = {
  readonly send: Send;
  /** Which messages it carries; one of 2026-07-28 on a legacy channel is told so. */
  readonly eras: 'both' | 'legacy';
  /** How many requests may wait at a time, and with how many bytes; one more is told so. */
  readonly requestsMax: number;
  readonly requestBytesMax: number;
  /** One message for the client; kept when the client takes more. Must not reject. */
  readonly deliver: (message: Buffer) => Promise<void>;
  /** What the client cannot be told: no request of its own stands for it. */
  readonly problem: (what: string, cause: unknown) => void;
};

/** What servers may send is bounded by its bytes. */
const SCAN = { depthMax: 512, elementsMax: 4_000_000 };
/** How often a cut answer is asked for again without anything coming of it. */
const RESUMES_MAX = 5;

/**
 * Carries the messages of one client that has a single channel (stdio, a WebSocket, HTTP+SSE) to an endpoint that speaks streamable HTTP,
 * byte for byte, and what the endpoint says back. Both eras; sessions, resumption and headers are this side's to handle.
 */
export class Channel {
  readonly #deps: ChannelDeps;
  readonly #end = new AbortController();
  readonly #session: ChannelSession;
  readonly #modern: ModernRequests;
  readonly #pending: PendingRequests;
  /** Kept when everything before has reached the server that must have before the next message may. */
  #turn: Promise<void> = Promise.resolve();
  /** The stream of the server's own messages, of the handshake that came last. */
  #following: AbortController | null = null;

  constructor(deps: ChannelDeps) {
    this.#deps = deps;
    this.#session = new ChannelSession(deps.send, this.#end.signal);
    this.#pending = new PendingRequests(deps.deliver);
    this.#modern = new ModernRequests({ send: deps.send, hear: (message, pending) => this.#hear(message, pending) });
  }

  /**
   * One message of the client. Requests run beside each other; everything else reaches the server before what follows it. The promise is
   * kept when the next may come: soon, also while requests wait, so that whoever holds the next one back keeps no answer from them.
   */
  take(bytes: Buffer): Promise<void> {
    const scanned = scanMessage(bytes);
    if (scanned.ok && scanned.message.kind !== 'request') {
      const { message } = scanned;
      if (!this.#takesBack(message)) this.#turn = this.#turn.then(() => this.#tell(bytes, message));
      return this.#turn;
    }
    const pending = this.#pending.add(scanned, bytes.length);
    const refused = this.#judge(pending, scanned);
    if (refused !== null) return pending.refuse(refused);
    const before = this.#turn;
    const asked = before.then(() => this.#ask(bytes, scanned, pending));
    // Nothing may overtake the handshake; its answer is enough, its stream may stay open.
    if (scanned.ok && scanned.message.method === 'initialize') this.#turn = Promise.race([asked, pending.over]);
    return before;
  }

  /** Resolves when no request waits for its answer any more (subscriptions wait for none), or after `withinMs`. */
  async settle(withinMs: number): Promise<void> {
    const limit = new AbortController();
    const all = this.#turn.then(() => Promise.all(this.#pending.ending().map(({ over }) => over)));
    await Promise.race([all, sleep(withinMs, undefined, { signal: limit.signal }).catch(() => undefined)]);
    limit.abort();
  }

  /** Ends the session and everything that waits; nothing is delivered any more. */
  async close(withinMs: number): Promise<void> {
    for (const pending of this.#pending.all()) pending.abort();
    this.#end.abort();
    await this.#session.close(AbortSignal.timeout(withinMs)).catch((error: unknown) => this.#deps.problem('cannot end the session', error));
  }

  #judge({ isModern }: Pending, scanned: ScanOutcome): Refusal | null {
    const { requestBytesMax, requestsMax } = this.#deps;
    const waiting = this.#pending.all();
    if (waiting.length > requestsMax || waiting.reduce((sum, { bytes }) => sum + bytes, 0) > requestBytesMax)
      return refusal('http.overloaded', 'Too many or too large requests of this connection wait for their answers.');
    if (!isModern || this.#deps.eras === 'both') return null;
    const requested = (scanned.ok ? scanned.message.metaProtocolVersion : null) ?? '';
    return refusal('rpc.unsupported_version', 'This connection is for revisions with a handshake.', {
      supported: LEGACY_VERSIONS,
      requested,
    });
  }

  /** A modern request is taken back by closing its connection: over HTTP nothing is sent for that (protocol.md trap 10). */
  #takesBack({ method, requestId }: ScannedMessage): boolean {
    if (method !== 'notifications/cancelled') return false;
    const pending = this.#pending.find(requestId);
    if (pending?.isModern === true) pending.abort();
    else pending?.forget();
    return pending === undefined ? this.#session.current === null : pending.isModern;
  }

  async #tell(bytes: Buffer, message: ScannedMessage): Promise<void> {
    try {
      const answer = await this.#post(bytes, message, this.#end.signal);
      await discard(answer);
      if (answer.status >= 300) this.#deps.problem(`${message.method || 'an answer'} was not taken: HTTP ${answer.status}`, null);
      else if (message.method === 'notifications/initialized') this.#follow();
    } catch (error) {
      if (!this.#end.signal.aborted) this.#deps.problem(`${message.method || 'an answer'} could not be sent`, error);
    }
  }

  async #ask(bytes: Buffer, scanned: ScanOutcome, pending: Pending): Promise<void> {
    if (pending.isOver) return;
    try {
      if (scanned.ok && pending.isModern) await this.#modern.ask({ bytes, message: scanned.message, pending });
      else await this.#askInSession(bytes, scanned.ok ? scanned.message : null, pending);
    } catch (error) {
      if (pending.isOver) return;
      this.#deps.problem('a request failed', error);
      const detail = 'The connection failed before the answer was complete: the request may have been executed.';
      await (isRefusedConnection(error)
        ? pending.refuse(refusal('upstream.unreachable'))
        : pending.refuse(refusal('upstream.broken', detail)));
    }
  }

  async #askInSession(bytes: Buffer, message: ScannedMessage | null, pending: Pending): Promise<void> {
    const isInitialize = message?.method === 'initialize';
    const answer = await this.#post(bytes, message, AbortSignal.any([pending.signal, this.#end.signal]));
    if (answer.status >= 300) return pending.answerError(answer.status, await readWhole(answer));
    const end = await readAnswer(answer, async (heard) => {
      if (isInitialize) this.#session.opened(bytes, answer, heard);
      await this.#hear(heard, pending);
    });
    await this.#resume(end, pending);
    if (!pending.isOver) throw endedEarly(end);
  }

  /** A server may end a stream and go on in another one: its events are numbered then. */
  async #resume(first: StreamEnd, pending: Pending): Promise<void> {
    let { lastEventId } = first;
    for (let resumes = 0, end = first; resumes < RESUMES_MAX && lastEventId !== null && !pending.isOver; resumes += 1) {
      const session = this.#session.current;
      if (session === null) return;
      const stop = new AbortController();
      await sleep(retryAfterMs(end, resumes), undefined, { signal: this.#end.signal, ref: false });
      const answer = await openStream(this.#deps.send, session, lastEventId, AbortSignal.any([stop.signal, this.#end.signal]));
      if (answer.status !== 200 || mediaTypeOf(answer) !== 'text/event-stream') return discard(answer);
      // The stream may be the server's to keep open; the answer is all that is wanted of it.
      void pending.over.then(() => stop.abort());
      end = await readAnswer(answer, (heard) => this.#hear(heard, pending));
      if (end.lastEventId !== null) [lastEventId, resumes] = [end.lastEventId, -1];
    }
  }

  async #post(bytes: Buffer, message: ScannedMessage | null, signal: AbortSignal): Promise<ChannelAnswer> {
    const session = message?.method === 'initialize' ? null : this.#session.current;
    const post = (own: Record<string, string>): Promise<ChannelAnswer> => {
      const headers = { 'content-type': 'application/json', accept: ACCEPT_BOTH, ...own };
      return this.#deps.send({ method: 'POST', headers, body: bytes, signal });
    };
    if (session === null) return post(message !== null && isModernMessage(message) ? modernVersion(message) : {});
    if (message !== null) this.#session.remember(message, bytes);
    const answer = await post(sessionHeaders(session));
    if (answer.status !== 404) return answer;
    // The session is gone, so nothing was executed.
    const fresh = await this.#session.replace(session).catch(() => null);
    if (fresh === null) return answer;
    await discard(answer);
    return post(sessionHeaders(fresh));
  }

  /** A response belongs to the request that it names: on a stream of the server's own, too. */
  async #hear(heard: Buffer, asked: Pending | null): Promise<void> {
    const scanned = scanMessage(heard, SCAN);
    if (!scanned.ok) this.#deps.problem('the server sent something that is not JSON-RPC', null);
    else if (scanned.message.kind !== 'response') await this.#deps.deliver(heard);
    else if (scanned.message.id === null && asked !== null) await asked.answerError(200, heard);
    else await this.#pending.find(scanned.message.id)?.answer(heard);
  }

  #follow(): void {
    this.#following?.abort();
    this.#following = new AbortController();
    const signal = AbortSignal.any([this.#following.signal, this.#end.signal]);
    const deliver = (heard: Buffer): Promise<void> => this.#hear(heard, null);
    void followServer({ send: this.#deps.send, session: this.#session, deliver, signal });
  }
}

function modernVersion({ metaProtocolVersion }: ScannedMessage): Record<string, string> {
  return metaProtocolVersion === null ? {} : { 'mcp-protocol-version': metaProtocolVersion };
}

function isRefusedConnection(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ECONNREFUSED' || error.code === 'ENOTFOUND');
}
