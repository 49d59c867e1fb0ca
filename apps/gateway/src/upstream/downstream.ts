import { ClientStream, type EventPosition } from '../streams/client-stream.ts';

/** The client's side of one call: one JSON document, or a stream of events that ends with the answer. */
export class Downstream extends ClientStream {
  /** The whole answer in one write; as the last event where a stream has begun. */
  sendAnswer(status: number, body: Buffer, position: EventPosition | null = null): void {
    if (this.isCommitted) {
      this.sendEvent(body, position);
      this.end();
      return;
    }
    this.response.writeHead(status, { ...JSON_HEAD, 'content-length': body.length });
    this.release();
    this.response.end(body);
  }

  /** Begins an answer of unknown length that is passed on as it comes. */
  beginBody(): void {
    this.response.writeHead(200, JSON_HEAD);
  }

  /** Ends it without an answer: the client has taken its request back. */
  endEmpty(): void {
    this.begin();
    this.end();
  }

  /** The answer broke off and nothing can say so any more. */
  destroy(): void {
    this.release();
    this.response.destroy();
  }
}

const JSON_HEAD = { 'content-type': 'application/json', 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };
