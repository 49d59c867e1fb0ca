import type { IncomingHttpHeaders } from 'node:http';
import { type SseEvent, SseParser } from '@patchbay/mcp-wire';
import type { Dispatcher } from 'undici';
import { Exchange, type ExchangeFailure, type Receiver } from '../upstream/exchange.ts';

export type UpstreamStreamListener = {
  /** It stands; events follow. */
  opened(): void;
  event(event: SseEvent): void;
  /** It does not stand: what the server said instead (a status), or why it could not be asked. Nothing follows. */
  refused(why: number | ExchangeFailure): void;
  /** It stood, and has ended: `why` null when the server ended it. Nothing follows. */
  ended(why: ExchangeFailure | 'crashed' | null): void;
};

export type UpstreamStreamRequest = {
  readonly pool: Dispatcher;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Of a POST that a stream answers; without one it is a GET. */
  readonly body?: string;
  /** Until the stream stands; then it has no deadline. */
  readonly timeoutMs: number;
};

/** A stream on which a server says what no call asked for: a legacy one by GET, a modern one when it is listened to. One attempt; tells its listener everything but what follows `close`. */
export class UpstreamStream implements Receiver {
  readonly #listener: UpstreamStreamListener;
  readonly #exchange: Exchange;
  #events: SseParser | null = null;

  constructor(request: UpstreamStreamRequest, listener: UpstreamStreamListener) {
    this.#listener = listener;
    const { body = null } = request;
    this.#exchange = new Exchange({ ...request, method: body === null ? 'GET' : 'POST', body }, this);
  }

  open(): void {
    this.#exchange.start();
  }

  pause(): void {
    this.#exchange.pause();
  }

  resume(): void {
    this.#exchange.resume();
  }

  close(): void {
    this.#exchange.abort();
  }

  head(status: number, headers: IncomingHttpHeaders): void {
    if (status !== 200 || headers['content-type']?.startsWith('text/event-stream') !== true) {
      this.#exchange.abort();
      this.#listener.refused(status);
      return;
    }
    this.#exchange.endure();
    this.#events = new SseParser();
    this.#listener.opened();
  }

  data(chunk: Buffer): void {
    for (const event of this.#events?.push(chunk) ?? []) this.#listener.event(event);
  }

  end(): void {
    if (this.#events !== null) this.#listener.ended(null);
  }

  failed(failure: ExchangeFailure): void {
    if (this.#events === null) this.#listener.refused(failure);
    else this.#listener.ended(failure);
  }

  /** An event beyond the limit, or a listener that threw: the exchange is over either way. */
  crashed(): void {
    if (this.#events === null) this.#listener.refused('malformed');
    else this.#listener.ended('crashed');
  }
}
