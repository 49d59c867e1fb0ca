import type { ServerResponse } from 'node:http';
import { encodeSseEvent } from '@patchbay/mcp-wire';

export type ClientStreamListener = {
  /** The client takes bytes again after `false` from a write. */
  drained(): void;
  /** The client has left before the stream was ended. */
  left(): void;
};

/** Where an event stands in a stream that can be resumed, and when to come back for the rest; null: not said. */
export type EventPosition = { readonly id: string | null; readonly retry: number | null };

/** Load balancers cut streams that are silent for a minute (protocol.md trap 11). */
const KEEP_ALIVE_MS = 15_000;
const COMMENT = ': keep-alive\n\n';
const UNREAD_BYTES_MAX = 1024 * 1024;
const NOTHING = Buffer.alloc(0);

/**
 * Server-sent events to one client, on whatever request it opened them: head, silence and backpressure are seen to here. Composes
 * every header itself. Once it was ended, or the client has left, nothing is written and nobody told any more.
 */
export class ClientStream {
  protected readonly response: ServerResponse;
  readonly #listener: ClientStreamListener;
  #keepAlive: NodeJS.Timeout | null = null;
  #over = false;

  constructor(response: ServerResponse, listener: ClientStreamListener) {
    this.response = response;
    this.#listener = listener;
    response.on('drain', this.#onDrain);
    response.on('close', this.#onClose);
  }

  /** Something has been written: a refusal can no longer be answered in its own form. */
  get isCommitted(): boolean {
    return this.response.headersSent;
  }

  get isGone(): boolean {
    return this.response.destroyed;
  }

  /** Sends the head, so that the client knows at once that its stream stands. */
  begin(): void {
    if (this.isCommitted || this.isGone) return;
    this.#open();
    this.response.flushHeaders();
  }

  /** One message. False: wait for `drained`. The first event begins the stream. */
  sendEvent(data: Buffer, position: EventPosition | null = null): boolean {
    return this.#send({ event: 'message', data, ...said(position) });
  }

  /** A message that nobody waits for: a client that leaves too much unread is cut off, as one that left. */
  tell(message: string): void {
    if (!this.sendEvent(Buffer.from(message)) && this.response.writableLength > UNREAD_BYTES_MAX) this.response.destroy();
  }

  /** A position to resume from, and no message (protocol.md trap 12). */
  sendPosition(position: EventPosition): boolean {
    return this.#send({ data: NOTHING, ...said(position) });
  }

  /** From now on silence is filled with comments, which begins the stream if nothing else has. */
  keepAlive(): void {
    if (this.#over || this.isGone) return;
    this.#keepAlive ??= setTimeout(() => {
      this.begin();
      if (!this.isGone) this.response.write(COMMENT);
      this.#keepAlive?.refresh();
    }, KEEP_ALIVE_MS);
  }

  /** Ends it: the client may ask for another. */
  end(): void {
    this.release();
    this.response.end();
  }

  /** Stops listening: what follows is another's to write. */
  release(): void {
    if (this.#over) return;
    this.#over = true;
    if (this.#keepAlive !== null) clearTimeout(this.#keepAlive);
    this.#keepAlive = null;
    this.response.off('drain', this.#onDrain);
    this.response.off('close', this.#onClose);
  }

  /** False: wait for `drained`. */
  write(chunk: Buffer): boolean {
    return this.isGone || this.response.write(chunk);
  }

  /** The head travels with what is written next. */
  #open(): void {
    // Set, not only written: whoever refuses later has to see that a stream has begun.
    this.response.setHeader('content-type', 'text/event-stream');
    this.response.writeHead(200, EVENT_STREAM);
  }

  #send(event: Parameters<typeof encodeSseEvent>[0]): boolean {
    if (!this.isCommitted && !this.isGone) this.#open();
    this.#keepAlive?.refresh();
    return this.write(encodeSseEvent(event));
  }

  readonly #onDrain = (): void => this.#listener.drained();

  readonly #onClose = (): void => {
    this.release();
    this.#listener.left();
  };
}

/** Proxies must neither hold back nor change what passes; what upstreams and clients say becomes no header. */
const EVENT_STREAM = {
  'cache-control': 'no-cache, no-transform',
  'x-content-type-options': 'nosniff',
  'x-accel-buffering': 'no',
};

function said(position: EventPosition | null): { id?: string; retry?: number } {
  if (position === null) return {};
  return { ...(position.id === null ? {} : { id: position.id }), ...(position.retry === null ? {} : { retry: position.retry }) };
}
