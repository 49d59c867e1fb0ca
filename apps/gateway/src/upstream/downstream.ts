import type { ServerResponse } from 'node:http';
import { encodeSseEvent } from '@patchbay/mcp-wire';

export type DownstreamListener = {
  /** The client takes bytes again after `false` from a write. */
  drained(): void;
  /** The client has left before the answer was complete. */
  left(): void;
};

/** Load balancers cut streams that are silent for a minute (protocol.md trap 11). */
const KEEP_ALIVE_MS = 15_000;
const COMMENT = ': keep-alive\n\n';

/** The client's side of one call: one JSON document, or a stream of events that ends with the answer. Composes every header itself. */
export class Downstream {
  readonly #response: ServerResponse;
  readonly #listener: DownstreamListener;
  #keepAlive: NodeJS.Timeout | null = null;
  #over = false;

  constructor(response: ServerResponse, listener: DownstreamListener) {
    this.#response = response;
    this.#listener = listener;
    response.on('drain', this.#onDrain);
    response.on('close', this.#onClose);
  }

  /** Something has been written: a refusal can no longer be answered in its own form. */
  get isCommitted(): boolean {
    return this.#response.headersSent;
  }

  get isGone(): boolean {
    return this.#response.destroyed;
  }

  /** The whole answer in one write; as the last event where a stream has begun. */
  sendAnswer(status: number, body: Buffer): void {
    if (this.isCommitted) {
      this.sendEvent(body);
      this.end();
      return;
    }
    this.#head(status, 'application/json');
    this.#response.setHeader('content-length', body.length);
    this.release();
    this.#response.end(body);
  }

  /** Begins an answer of unknown length that is passed on as it comes. */
  beginBody(): void {
    this.#head(200, 'application/json');
  }

  /** False: wait for `drained`. */
  write(chunk: Buffer): boolean {
    return this.isGone || this.#response.write(chunk);
  }

  /** False: wait for `drained`. The first event begins the stream. */
  sendEvent(data: Buffer): boolean {
    if (!this.isCommitted) this.#beginEvents();
    this.#keepAlive?.refresh();
    return this.write(encodeSseEvent({ event: 'message', data }));
  }

  /** From now on silence is filled with comments, which begins the stream if nothing else has. */
  keepAlive(): void {
    if (this.#over) return;
    this.#keepAlive ??= setTimeout(() => {
      if (!this.isCommitted) this.#beginEvents();
      if (!this.isGone) this.#response.write(COMMENT);
      this.#keepAlive?.refresh();
    }, KEEP_ALIVE_MS);
  }

  end(): void {
    this.release();
    this.#response.end();
  }

  /** Ends it without an answer: the client has taken its request back. */
  endEmpty(): void {
    if (!this.isCommitted) this.#head(200, 'text/event-stream');
    this.end();
  }

  /** The answer broke off and nothing can say so any more. */
  destroy(): void {
    this.release();
    this.#response.destroy();
  }

  /** Stops listening: what follows is another's to write. */
  release(): void {
    if (this.#over) return;
    this.#over = true;
    if (this.#keepAlive !== null) clearTimeout(this.#keepAlive);
    this.#response.off('drain', this.#onDrain);
    this.#response.off('close', this.#onClose);
  }

  #beginEvents(): void {
    this.#head(200, 'text/event-stream');
    this.#response.setHeader('x-accel-buffering', 'no');
    this.#response.setHeader('cache-control', 'no-cache, no-transform');
    this.#response.flushHeaders();
  }

  #head(status: number, contentType: string): void {
    this.#response.statusCode = status;
    this.#response.setHeader('content-type', contentType);
    this.#response.setHeader('cache-control', 'no-store');
    this.#response.setHeader('x-content-type-options', 'nosniff');
  }

  readonly #onDrain = (): void => this.#listener.drained();

  readonly #onClose = (): void => {
    this.release();
    this.#listener.left();
  };
}
