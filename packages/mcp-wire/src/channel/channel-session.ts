import type { ScannedMessage } from '../scanned-message.ts';
import { INITIALIZED_NOTIFICATION } from '../rev-2025-11-25/initialize.ts';
import { discard, readAnswer } from './read-answer.ts';
import { type ChannelAnswer, headerOf, type Send } from './send.ts';
import { sliceMember } from '../json-slices.ts';

/** What every request of an open session says of it. Another object: another session. */
export type OpenSession = {
  /** null: the server gave none. */
  readonly id: string | null;
  readonly protocolVersion: string;
};

/** Both kinds of answer, as every POST has to say. */
export const ACCEPT_BOTH = 'application/json, text/event-stream';
const JSON_HEADERS = { 'content-type': 'application/json', accept: ACCEPT_BOTH } as const;

/**
 * The session of a channel of revisions up to 2025-11-25. A channel cannot be told to initialise again, so a session that the server lost
 * is opened anew with what the client said first, and log level and subscriptions are said again.
 */
export class ChannelSession {
  readonly #send: Send;
  readonly #signal: AbortSignal;
  #initialize: Buffer | null = null;
  #open: OpenSession | null = null;
  #reopening: Promise<OpenSession | null> | null = null;
  /** What to say again: the last log level, one entry a subscribed URI. */
  readonly #said = new Map<string, Buffer>();

  /** `signal`: the end of the channel. */
  constructor(send: Send, signal: AbortSignal) {
    this.#send = send;
    this.#signal = signal;
  }

  get current(): OpenSession | null {
    return this.#open;
  }

  /** The client's `initialize` was answered with `result`; false when it says no version. */
  opened(initialize: Buffer, answer: ChannelAnswer, response: Buffer): boolean {
    const session = sessionOf(answer, response);
    if (session === null) return false;
    this.#initialize = initialize;
    this.#open = session;
    this.#said.clear();
    return true;
  }

  /** Keeps what changes the session's state, in case it has to be said again. */
  remember({ method, uri }: ScannedMessage, bytes: Buffer): void {
    if (method === 'logging/setLevel') this.#said.set('level', bytes);
    else if (method === 'resources/subscribe') this.#said.set(`uri ${uri}`, bytes);
    else if (method === 'resources/unsubscribe') this.#said.delete(`uri ${uri}`);
  }

  /** The server says that it does not know `gone`. The session that stands in its place; null when none can be opened. One flight. */
  replace(gone: OpenSession): Promise<OpenSession | null> {
    if (this.#open !== gone) return Promise.resolve(this.#open);
    this.#reopening ??= this.#reopen(gone).finally(() => {
      this.#reopening = null;
    });
    return this.#reopening;
  }

  /** Tells the server that it is over. */
  async close(signal: AbortSignal): Promise<void> {
    const session = this.#open;
    this.#open = null;
    if (session === null || session.id === null) return;
    await discard(await this.#send({ method: 'DELETE', headers: sessionHeaders(session), body: null, signal }));
  }

  async #reopen(gone: OpenSession): Promise<OpenSession | null> {
    if (this.#initialize === null) return null;
    const answer = await this.#post(this.#initialize, {});
    let session: OpenSession | null = null;
    await readAnswer(answer, async (message) => {
      session ??= answer.status === 200 ? sessionOf(answer, message) : null;
    });
    // Assigned in the callback, which the compiler does not follow.
    const fresh = session as OpenSession | null;
    // Another version would change under the client's feet what it has been told.
    if (fresh === null || fresh.protocolVersion !== gone.protocolVersion) return null;
    for (const message of [Buffer.from(INITIALIZED_NOTIFICATION), ...this.#said.values()])
      await discard(await this.#post(message, sessionHeaders(fresh)));
    this.#open = fresh;
    return fresh;
  }

  #post(body: Buffer, headers: Record<string, string>): Promise<ChannelAnswer> {
    return this.#send({ method: 'POST', headers: { ...JSON_HEADERS, ...headers }, body, signal: this.#signal });
  }
}

/** What a request says of the session that it belongs to. */
export function sessionHeaders({ id, protocolVersion }: OpenSession): Record<string, string> {
  return { 'mcp-protocol-version': protocolVersion, ...(id === null ? {} : { 'mcp-session-id': id }) };
}

function sessionOf(answer: ChannelAnswer, response: Buffer): OpenSession | null {
  const span = sliceMember(response, ['result', 'protocolVersion']);
  if (span === null) return null;
  const protocolVersion: unknown = JSON.parse(response.toString('utf8', span.start, span.end));
  return typeof protocolVersion === 'string' ? { id: headerOf(answer, 'mcp-session-id'), protocolVersion } : null;
}
