import type { ServerResponse } from 'node:http';
import type { Refusal } from '@patchbay/errors';
import type { RequestOutcome } from '../ops/request-recorder.ts';
import type { Reply } from '../process/reply.ts';
import { errorText, toOneLine } from '../process/rpc-text.ts';
import { sendJson } from './answers.ts';

const EVENT_START = Buffer.from('event: message\ndata: ');
const EVENT_END = Buffer.from('\n\n');

/**
 * The answer to one POSTed request: a JSON body when the response is the first message that arrives, else an event stream.
 * Events carry no ids yet, because a stream cannot be resumed yet.
 */
export class HttpReply implements Reply {
  readonly #response: ServerResponse;
  readonly #idText: string;
  readonly #ended: (outcome: RequestOutcome) => void;

  /** `ended` is told how, once everything is written. */
  constructor(response: ServerResponse, idText: string, ended: (outcome: RequestOutcome) => void) {
    this.#response = response;
    this.#idText = idText;
    this.#ended = ended;
  }

  notify(message: Buffer): void {
    this.#stream();
    this.#event(message);
  }

  finish(message: Buffer): void {
    this.#say(message);
    this.#ended('ok');
  }

  fail(refused: Refusal): void {
    this.#say(errorText(this.#idText, refused));
    this.#ended(refused.code);
  }

  abandon(): void {
    this.#stream();
    this.#response.end();
    this.#ended('cancelled');
  }

  #say(message: Buffer): void {
    if (!this.#response.headersSent) return sendJson(this.#response, 200, message);
    this.#event(message);
    this.#response.end();
  }

  #stream(): void {
    if (this.#response.headersSent || this.#response.destroyed) return;
    this.#response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  }

  #event(message: Buffer): void {
    if (this.#response.destroyed) return;
    // A carriage return between tokens would end the data line.
    this.#response.write(Buffer.concat([EVENT_START, toOneLine(message), EVENT_END]));
  }
}
