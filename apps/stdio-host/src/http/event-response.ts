import type { ServerResponse } from 'node:http';
import type { Listener } from '../streams/numbered-stream.ts';

/** What lies between us and our caller may cut a stream that is silent for a minute (protocol.md trap 11). */
const COMMENT_EVERY_MS = 15_000;
/** What may wait for a reader that takes nothing; its events are numbered, so that it may come back for them. */
const UNREAD_BYTES_MAX = 64 * 1024 * 1024;
const COMMENT = ': still here\n\n';

/** An HTTP response, of which nothing was written yet, as an event stream; silence is filled with comments. */
export class EventResponse implements Listener {
  readonly #response: ServerResponse;
  readonly #comments: NodeJS.Timeout;

  constructor(response: ServerResponse) {
    this.#response = response;
    this.#comments = setInterval(() => this.#write(COMMENT), COMMENT_EVERY_MS);
    response.on('close', () => clearInterval(this.#comments));
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store, no-transform' }).flushHeaders();
  }

  write(event: Buffer): void {
    this.#comments.refresh();
    this.#write(event);
  }

  end(): void {
    clearInterval(this.#comments);
    this.#response.end();
  }

  #write(bytes: Buffer | string): void {
    if (this.#response.destroyed) return;
    this.#response.write(bytes);
    if (this.#response.writableLength > UNREAD_BYTES_MAX) this.#response.destroy();
  }
}
